import { boot } from '#shared/boot.ts'
import { runProcess } from '#shared/run-process.ts'
import { startProducer } from './start.ts'

await runProcess('serve', process.env, async ({ config, log, resources }) => {
  const booted = resources.use(await boot(config, { name: 'serve', log }))
  const { url } = resources.use(await startProducer({ config, boot: booted, log }))
  log.info({ url }, `listening at ${url}`)
})
