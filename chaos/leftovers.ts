import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { PREFIX } from './stage.ts'
import type { Stage } from './stage.ts'

// Leases and locks of the dead may outlive the last upload for as long as they last.
const SETTLES_WITHIN_MS = 15_000
const LOOK_MS = 250

/** What still holds, or waits for, something once all uploads have ended: names of keys, none when all is right. */
export async function leftInRedis({ redis, signal }: Stage): Promise<readonly string[]> {
  for (const giveUpAt = Date.now() + SETTLES_WITHIN_MS; ; await sleep(LOOK_MS, undefined, { signal })) {
    const left = await lookOnce(redis)
    if (left.length === 0 || Date.now() > giveUpAt) return left
  }
}

/** Below the prefix. A list or set without members is no key. */
const holding: readonly RegExp[] = [
  // An owner, and those in line.
  /^(destination|line):/,
  // Uploads that were dispatched, or wait to be, or have until then.
  /^(active:|waiting:|accounts:waiting$|running$|deadlines$)/,
  // Jobs that a process has in its hands.
  /^upload:[^:]+:(runs|crashed)$/,
  /^account:[^:]+:login-lock$/,
  /^queue:(upload|part):(wait|paused|active|delayed|prioritized|waiting-children)$/,
  /^queue:(upload|part):.*:lock$/,
]

const leases = /^account:[^:]+:leases:/

async function lookOnce(redis: Redis): Promise<string[]> {
  const found: string[] = []
  for await (const keys of redis.scanStream({ match: `${PREFIX}:*`, count: 1000 })) {
    for (const key of [keys].flat().map(String)) {
      const name = key.slice(PREFIX.length + 1)
      if (holding.some((pattern) => pattern.test(name))) found.push(name)
      // One that ended by time alone is removed by whoever asks for the next.
      if (leases.test(name) && (await redis.zcount(key, Date.now(), '+inf')) > 0) found.push(name)
    }
  }
  return [...new Set(found)].toSorted()
}
