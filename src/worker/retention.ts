import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Keys } from '#shared/keys.ts'
import { uploadJobId } from '#shared/queues.ts'
import type { Queues } from '#shared/queues.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import { startLoop } from './loop.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly uploads: Uploads
  readonly queues: Queues
  readonly instance: string
  readonly everyMs: number
  /** How long ended uploads and ended jobs are kept, in ms; jobs never longer than their uploads. */
  readonly retainUploadsMs: number
  readonly retainJobsMs: number
  readonly log: Logger
}

/** Commands sent together. Each is about one upload or job, so nobody else waits long for Redis. */
const AT_ONCE = 100

/**
 * Removes what ended longer ago than it is kept: jobs, then uploads with all that belongs to them, in small steps,
 * until nothing is left that is too old. Whoever leads the reconciling does it, so that the others need not.
 */
export function startRetention(deps: Deps): AsyncDisposable {
  const { redis, keys, instance, everyMs, log } = deps
  return startLoop({ everyMs, log, what: 'removing what is old' }, async (signal) => {
    const mayGoOn = async (): Promise<boolean> => {
      const leader = await redis.get(keys.leader)
      // In a Redis that is full nobody can become the leader. To do it twice is to do it once.
      return !signal.aborted && (leader ?? instance) === instance
    }
    if (!(await mayGoOn())) return
    const { uploads, parts } = deps.queues
    // Before the uploads: a big tree of jobs is best removed one by one.
    for (const queue of [parts, uploads]) await removeJobs(deps, queue, mayGoOn)
    await removeUploads(deps, mayGoOn)
  })
}

type MayGoOn = () => Promise<boolean>

/**
 * BullMQ itself looks at the age of ended jobs only when another job of that queue ends. Not by its `clean`, which
 * leaves an event behind at each call that nobody trims.
 */
async function removeJobs({ redis, ...deps }: Deps, queue: Queue, mayGoOn: MayGoOn): Promise<void> {
  const keepMs = Math.min(deps.retainJobsMs, deps.retainUploadsMs)
  for (const state of ['completed', 'failed'] as const) {
    for (let found = AT_ONCE; found === AT_ONCE && (await mayGoOn());) {
      const before = Date.now() - keepMs
      const old = await redis.zrangebyscore(queue.toKey(state), '-inf', before, 'LIMIT', 0, AT_ONCE)
      await Promise.all(old.map(async (id) => queue.remove(id, { removeChildren: false })))
      found = old.length
    }
  }
}

async function removeUploads(deps: Deps, mayGoOn: MayGoOn): Promise<void> {
  const { uploads, queues, retainUploadsMs, log } = deps
  const before = (await uploads.now()) - retainUploadsMs
  for (let found = AT_ONCE; found === AT_ONCE && (await mayGoOn());) {
    const old = await uploads.endedBefore(before, AT_ONCE)
    await Promise.all(
      old.map(async (id) => {
        // Whatever is left of its jobs, in whatever state: nobody else would come for them.
        for (let run = await uploads.runs(id); run > 0; run -= 1) {
          await queues.uploads.remove(uploadJobId(id, run))
        }
        await uploads.remove(id, before)
      }),
    )
    found = old.length
    if (found > 0) log.debug({ uploads: found }, 'removed ended uploads')
  }
}
