import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { TryLater } from '../errors.ts'
import type { Keys } from '../keys.ts'
import type { RunScript } from '../records/scripts.ts'

/** A login takes seconds; whoever dies in it blocks the others no longer than this. */
const LOCK_MS = 15_000
const POLL_MS = 100

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
  readonly lockMs?: number
}

interface Work<T> {
  readonly signal: AbortSignal
  /** Its signal is aborted as well when the lock was lost to somebody else. */
  readonly work: (signal: AbortSignal) => Promise<T>
}

export function createLoginLock({ redis, keys, run, lockMs = LOCK_MS }: Deps) {
  return {
    /** Runs `work` while nobody else, in any process, logs this account in. */
    holdLoginLock: async <T>(id: string, { signal, work }: Work<T>): Promise<T> => {
      const token = randomUUID()
      while ((await redis.set(keys.accountLoginLock(id), token, 'PX', lockMs, 'NX')) === null) {
        await sleep(POLL_MS, undefined, { signal })
      }
      const lost = new AbortController()
      const keep = async (): Promise<void> => {
        if ((await run('login_lock', id, token, lockMs)) === 1) return
        lost.abort(new TryLater(`account ${id}: somebody else logs it in`, POLL_MS))
      }
      const renewal = setInterval(() => void keep().catch(() => undefined), lockMs / 3)
      try {
        return await work(AbortSignal.any([signal, lost.signal]))
      } finally {
        clearInterval(renewal)
        // If that fails it expires; what the work came to matters more.
        await run('login_lock', id, token, 0).catch(() => undefined)
      }
    },
  }
}
