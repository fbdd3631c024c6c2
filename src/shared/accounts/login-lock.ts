import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'

/** A login takes seconds; whoever dies in it blocks the others no longer than this. */
const LOCK_MS = 15_000
const POLL_MS = 100

/** Runs `work` while nobody else, in any process, holds the lock of that key. */
export async function holdLoginLock<T>(
  redis: Redis,
  key: string,
  { signal, work }: { readonly signal: AbortSignal; readonly work: () => Promise<T> },
): Promise<T> {
  const token = randomUUID()
  while ((await redis.set(key, token, 'PX', LOCK_MS, 'NX')) === null) {
    await sleep(POLL_MS, undefined, { signal })
  }
  const renewal = setInterval(() => {
    redis.pexpire(key, LOCK_MS, 'XX').catch(() => undefined)
  }, LOCK_MS / 3)
  try {
    return await work()
  } finally {
    clearInterval(renewal)
    if ((await redis.get(key)) === token) await redis.del(key)
  }
}
