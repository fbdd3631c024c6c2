import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { RunningQueue } from './run.ts'

/** Giving back takes Redis a moment, if it is there. */
const GIVE_BACK_MS = 3000

interface Drained {
  readonly queues: readonly RunningQueue[]
  /** What else goes on by itself, and ends at the next good place when it is disposed. */
  readonly others: readonly AsyncDisposable[]
  readonly redis: Redis
  /** How long what is under way may take to end, in ms. */
  readonly graceMs: number
  readonly log: Logger
}

/**
 * Ends all work, all at once: in turn, the last would go on taking jobs meanwhile. What waits is given back
 * right away, what is under way at the end of the grace period. Answers `false` when that could not be done, as
 * Redis does not answer; never hangs.
 */
export async function drain({ queues, others, redis, graceMs, log }: Drained): Promise<boolean> {
  const isIdle = (): boolean => queues.every((queue) => queue.isIdle())
  // There is nothing to give back then, and nobody to give it to.
  const nothingToEnd = isIdle() && redis.status !== 'ready'
  // One that can not be stopped must not take the time from the others.
  const toldToStop = async (stop: () => Promise<void>): Promise<void> => {
    await Promise.try(stop).catch((error: unknown) => log.error({ err: error }, 'could not be stopped'))
  }
  const stopped = Promise.all([
    ...queues.map(async (queue) => toldToStop(queue.stop)),
    ...others.map(async (other) => toldToStop(async () => other[Symbol.asyncDispose]())),
  ])
  if (await endsWithin(stopped, isIdle() ? 0 : graceMs)) return true

  for (const queue of queues) queue.cut()
  if (await endsWithin(stopped, nothingToEnd ? 0 : GIVE_BACK_MS)) return true
  log.error(
    isIdle()
      ? 'Redis does not answer, or takes no writes: ending without it, with nothing in hand'
      : 'Redis does not answer, or takes no writes: ending without it. What is in hand goes to other workers when its locks expire',
  )
  return false
}

/** Whether it does. Whatever becomes of it later is nobody's business any more. */
async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const waiting = new AbortController()
  const patience = sleep(ms, false, { signal: waiting.signal }).catch(() => false)
  try {
    return await Promise.race([work.then(() => true), patience])
  } finally {
    waiting.abort()
  }
}

/** Puts away what can be put away in a moment. */
export const inAMoment = async (putAway: Promise<void>): Promise<void> => {
  await endsWithin(putAway, 500)
}
