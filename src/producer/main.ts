import { once } from 'node:events'
import { boot } from '#shared/boot.ts'
import { loadConfig } from '#shared/config.ts'
import { createLog } from '#shared/log.ts'
import { startProducer } from './start.ts'

const config = loadConfig(process.env, 'serve')
const log = createLog({ level: config.logLevel, role: 'serve' })

await using connected = await boot(config, { name: 'serve', log })
await using producer = await startProducer({
  config,
  log,
  redisUrl: connected.redisUrl,
  secrets: connected.secrets,
})
log.info({ url: producer.url }, `listening at ${producer.url}`)

await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
log.info('stopping; again to stop at once')
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))
