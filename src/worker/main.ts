import { boot } from '#shared/boot.ts'
import { runProcess } from '#shared/run-process.ts'
import { startWorker } from './start.ts'

await runProcess('worker', process.env, async ({ config, log, resources }) => {
  const booted = resources.use(await boot(config, { name: 'worker', log }))
  resources.use(await startWorker({ config, boot: booted, log }))
  log.info('the worker runs')
})
