import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { openSecretKey } from './data-dir.ts'
import { connectRedis, waitForRedis } from './redis/connect.ts'
import { joinEmbedded } from './redis/embedded.ts'
import { requireSafeRedis } from './redis/requirements.ts'
import { createSecrets } from './secrets.ts'
import type { Secrets } from './secrets.ts'

/** The embedded Redis may still be reading its file; any other should just be there. */
const REDIS_WITHIN_MS = 60_000

export interface Boot extends AsyncDisposable {
  readonly redisUrl: string
  /** Waits for a Redis that is away. */
  readonly redis: Redis
  readonly secrets: Secrets
}

/**
 * Connects a process: `REDIS_URL`, else the embedded Redis of the data directory's standalone. Throws, with
 * what to do, for a Redis that is not safe and for a secret key that is not the one in use.
 */
export async function boot(
  config: Config,
  { name, log, embeddedUrl }: { name: string; log: Logger; embeddedUrl?: string },
): Promise<Boot> {
  await using resources = new AsyncDisposableStack()
  const redisUrl = config.redisUrl ?? embeddedUrl ?? (await join(config, resources))
  const warn = (message: string): void => log.warn(message)
  const redis = connectRedis(redisUrl, { role: 'worker', name, log: warn })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, REDIS_WITHIN_MS)
  await requireSafeRedis(redis, { allowUnsafe: config.allowUnsafeRedis, log: warn })
  const key = await openSecretKey(redis, {
    prefix: config.prefix,
    dataDir: config.dataDir,
    configured: config.secretKey,
  })
  const owned = resources.move()
  return {
    redisUrl,
    redis,
    secrets: createSecrets(key),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

async function join(config: Config, resources: AsyncDisposableStack): Promise<string> {
  const joined = await joinEmbedded({ dataDir: config.dataDir })
  resources.defer(() => joined.close())
  return joined.url
}
