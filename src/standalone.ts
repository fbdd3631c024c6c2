import { startProducer } from '#producer/start.ts'
import { boot } from '#shared/boot.ts'
import type { Config } from '#shared/config.ts'
import { forms } from '#shared/providers/forms.ts'
import { startEmbedded } from '#shared/redis/embedded.ts'
import { runProcess } from '#shared/run-process.ts'
import type { ProcessContext } from '#shared/run-process.ts'
import { startWorker } from '#worker/start.ts'

await runProcess('standalone', process.env, async (context) => {
  const { config, log, resources } = context
  const embedded = await embeddedRedis(context)
  const booted = resources.use(await boot(config, { name: 'standalone', log, ...embedded }))
  // First, as its port may be taken: a second standalone must not take parts from the one that runs.
  const producer = resources.use(await startProducer({ config, boot: booted, log }))
  const worker = resources.use(await startWorker({ config, boot: booted, log }))
  // Both at once: whoever is still being answered must not take from the time in which parts may end.
  resources.defer(async () => {
    await Promise.all([producer[Symbol.asyncDispose](), worker[Symbol.asyncDispose]()])
  })
  log.info(
    {
      redis: embedded?.description ?? 'REDIS_URL',
      dashboard: `${producer.url}/dashboard`,
      docs: `${producer.url}/docs`,
      dataDir: config.dataDir,
    },
    `Stevedore listens at ${producer.url}; its token is ${tokenPlace(config)}`,
  )
  if (process.stdout.isTTY) sayWhere(producer.url, config)
})

/** A file, if there is one all the same, holds a token that opens nothing. */
function tokenPlace({ token, dataDir }: Config): string {
  return token === undefined ? `in ${dataDir}/token` : 'that of STEVEDORE_TOKEN'
}

/** The log is for machines; whoever starts this at a terminal wants to know where to look. */
function sayWhere(url: string, config: Config): void {
  const lines = [
    '',
    `  dashboard  ${url}/dashboard`,
    `  API docs   ${url}/docs`,
    `  its token  is ${tokenPlace(config)}`,
    `  next       npx stevedore account add ${forms.map(({ provider }) => provider).join('|')} me`,
    '',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** The service's own Redis, unless it was given one. Put away last of all: the drain still needs it. */
async function embeddedRedis({ config, log, resources }: ProcessContext) {
  if (config.redisUrl !== undefined) return undefined
  const say = (message: string): void => log.info(message)
  const { dataDir, cacheDir } = config
  const redis = await startEmbedded({ dataDir, cacheDir, log: say })
  resources.defer(async () => void (await redis.stop()))
  return { embeddedUrl: redis.url, description: `${redis.kind} ${redis.binary}` }
}
