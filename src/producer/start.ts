import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Boot } from '#shared/boot.ts'
import type { Config } from '#shared/config.ts'
import { openToken, registerToken } from '#shared/data-dir.ts'
import { connectRedis, waitForRedis } from '#shared/redis/connect.ts'
import { openStores, type Stores } from '#shared/stores.ts'
import { createApp } from './app.ts'
import type { App } from './context.ts'

const REDIS_WITHIN_MS = 30_000
/** Without Redis nothing can be put away tidily: then it is not waited for. */
const CLOSE_WITHIN_MS = 3000

export interface ProducerOptions {
  readonly config: Config
  readonly boot: Pick<Boot, 'redisUrl' | 'secrets'>
  readonly log: Logger
}

export interface Producer extends AsyncDisposable {
  /** Where the API listens. */
  readonly url: string
}

/**
 * Wires the producer process, with a Redis connection of its own that fails fast, and listens. Disposing it
 * lets requests under way end within the grace period, then disconnects.
 */
export async function startProducer({ config, boot, log }: ProducerOptions): Promise<Producer> {
  await using resources = new AsyncDisposableStack()
  const redis = connectRedis(boot.redisUrl, { role: 'api', name: 'api', log: (message) => log.warn(message) })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, REDIS_WITHIN_MS)

  const stores = openStores({ redis, config, secrets: boot.secrets })
  resources.defer(async () => Promise.race([stores[Symbol.asyncDispose](), soon(CLOSE_WITHIN_MS)]))
  reportErrors(stores, log)

  const app = await createApp({ stores, config, secrets: boot.secrets, log })
  resources.defer(async () => close(app, config.graceMs))
  const url = await listen(app, config)
  // Only now: a start that fails must not take the token away from who runs already.
  const { prefix, dataDir } = config
  await registerToken(redis, { prefix, dataDir, token: config.token ?? (await openToken(dataDir)) })
  const owned = resources.move()
  return { url, [Symbol.asyncDispose]: async () => owned.disposeAsync() }
}

/** BullMQ prints errors that nobody listens to, with whatever hangs on them. */
function reportErrors({ queues }: Stores, log: Logger): void {
  for (const queue of [queues.uploads, queues.parts]) {
    queue.on('error', (error) => log.debug({ err: error }, `queue ${queue.name}`))
  }
}

async function listen(app: App, { host, port }: Config): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    throw new Error(
      `Port ${port} of ${host} is in use: end what runs there, or set STEVEDORE_PORT to another`,
      { cause: error },
    )
  }
}

/** Stops listening at once; who is still being answered after the grace period is cut off. */
async function close(app: App, graceMs: number): Promise<void> {
  const closed = app.close()
  const isClosed = await Promise.race([closed.then(() => true), soon(graceMs)])
  if (isClosed !== true) app.server.closeAllConnections()
  await closed
}

const soon = async (ms: number): Promise<void> => {
  await sleep(ms, undefined, { ref: false })
}
