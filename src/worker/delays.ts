import type { Job, Queue } from 'bullmq'
import type { Redis } from 'ioredis'

/** At each end of the line: one tick lets these run, the next ones the rest. */
const LOOKED_AT = 100
/** Beyond what a busy worker takes to notice that a job is due. */
const TOLERATED_MS = 30_000
/** BullMQ keeps the time in the upper bits of the score. */
const SCORE_PER_MS = 0x1000

/**
 * Lets jobs run that were put off by a host whose clock is wrong, and that the others would leave lying for as long as
 * it is wrong: no job has to wait longer than it was put off for; nor one that is due and that nobody takes. `now` is
 * by Redis's clock, in ms since 1970. Answers the ids of those that were put off wrongly.
 */
export async function promoteMisdated(redis: Redis, queue: Queue, now: number): Promise<string[]> {
  const delayed = queue.toKey('delayed')
  const [soonest, latest] = await Promise.all([
    redis.zrange(delayed, '0', `${LOOKED_AT - 1}`, 'WITHSCORES'),
    redis.zrevrange(delayed, 0, LOOKED_AT - 1, 'WITHSCORES'),
  ])
  const odd = [...new Map([...dueTimes(soonest), ...dueTimes(latest)])].filter(
    ([, due]) => Math.abs(due - now) > TOLERATED_MS,
  )
  const promoted = await Promise.all(
    odd.map(async ([id, due]) => {
      const job = await queue.getJob(id)
      if (job === undefined) return []
      const isMisdated = due - now > job.delay + TOLERATED_MS
      if (!isMisdated && due > now) return []
      return (await promote(job)) && isMisdated ? [id] : []
    }),
  )
  return promoted.flat()
}

/** Whether it was still waiting. */
async function promote(job: Job): Promise<boolean> {
  try {
    await job.promote()
    return true
  } catch (error) {
    if (await job.isDelayed()) throw error
    return false
  }
}

function dueTimes(scored: readonly string[]): [string, number][] {
  const due: [string, number][] = []
  for (let index = 0; index + 1 < scored.length; index += 2) {
    due.push([scored[index] ?? '', Number(scored[index + 1]) / SCORE_PER_MS])
  }
  return due
}
