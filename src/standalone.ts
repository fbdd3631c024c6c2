import { startProducer } from '#producer/start.ts'
import { boot } from '#shared/boot.ts'
import { loadConfig } from '#shared/config.ts'
import { createLog } from '#shared/log.ts'
import { startEmbedded } from '#shared/redis/embedded.ts'
import { untilStopped } from '#shared/until-stopped.ts'
import { startWorker } from '#worker/start.ts'

const config = loadConfig(process.env, 'standalone')
const log = createLog({ level: config.logLevel, role: 'standalone' })
await using resources = new AsyncDisposableStack()

const say = (message: string): void => log.info(message)
const embedded =
  config.redisUrl === undefined
    ? await startEmbedded({ dataDir: config.dataDir, cacheDir: config.cacheDir, log: say })
    : undefined
// Ends last: the drain still needs its Redis.
if (embedded !== undefined) resources.defer(async () => void (await embedded.stop()))

const booted = resources.use(
  await boot(config, { name: 'standalone', log, ...(embedded && { embeddedUrl: embedded.url }) }),
)
resources.use(await startWorker({ config, boot: booted, log }))
const producer = resources.use(await startProducer({ config, boot: booted, log }))

log.info(
  {
    redis: embedded === undefined ? 'REDIS_URL' : `${embedded.kind} ${embedded.binary}`,
    dataDir: config.dataDir,
    dashboard: `${producer.url}/dashboard`,
    docs: `${producer.url}/docs`,
    token: `${config.dataDir}/token`,
  },
  `Stevedore listens on ${producer.url}`,
)
await untilStopped()
log.info('draining: parts under way may finish; a second signal ends at once')
