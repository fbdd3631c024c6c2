import { DelayedError, UnrecoverableError, WaitingChildrenError, WaitingError, Worker } from 'bullmq'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { AccountParked, NeedsPerson, ProcessStops, TryLater, Unreachable } from '#shared/errors.ts'
import { UnknownRecord } from '#shared/records/upload.ts'
import { readJob } from './job-data.ts'
import { createErrorLog } from './queue-errors.ts'
import { createRuns, LockLost, StillRuns } from './runs.ts'
import type { Run } from './runs.ts'

/** A failure that is in the record already: the job ends, nothing is tried again. */
export class Settled extends Error {
  override name = 'Settled'
}

/** The upload's job hung parts under itself and wants to sleep until they are done. */
export class WaitForParts extends Error {
  override name = 'WaitForParts'
}

/** A job as plain functions see it. */
export interface Running {
  readonly jobId: string
  /** This attempt would be the last if it failed. */
  readonly lastAttempt: boolean
  /** Aborts at the end of the grace period, and when the job's lock was lost. */
  readonly signal: AbortSignal
  /** Aborts as soon as the process stops: what is under way may end, nothing new is begun or waited for. */
  readonly stopping: AbortSignal
  /** Throws when another run may have the job: asks Redis unless it just said so, and waits for one that is away. */
  readonly assertHeld: () => Promise<void>
  /** Forgets children that nobody works on yet. */
  readonly dropWaitingParts: () => Promise<void>
}

interface Options<Data> {
  readonly redis: Redis
  readonly prefix: string
  readonly name: string
  readonly concurrency: number
  readonly lockMs: number
  readonly stalledMs: number
  readonly log: Logger
  readonly schema: z.ZodType<Data>
  /** Told before a job is put off, with the reason to show. */
  readonly onPutOff: (data: Data, reason: Error) => Promise<void>
}

export type Handle<Data> = (data: Data, running: Running) => Promise<unknown>

/** The runs of a queue in this process. */
export interface RunningQueue {
  /** Begins no job any more, from now on, and resolves when those under way have ended or were given back. */
  readonly stop: () => Promise<void>
  /** Has those that still run given back as they are. */
  readonly cut: () => void
  readonly isIdle: () => boolean
}

/** Runs a plain function as the processor of a queue: the only place that knows BullMQ's control flow. */
export function runQueue<Data>(handle: Handle<Data>, options: Options<Data>): RunningQueue {
  const { name, log } = options
  const runs = createRuns()
  const worker = new Worker(
    name,
    async (job: Job, token = '') => {
      const data = readJob(job, options)
      try {
        return await runs.hold(job.id ?? '', async (run) =>
          handle(data, runningOf({ job, token, run, lockMs: options.lockMs })).catch((error: unknown) => {
            throw meaningOf(error, run)
          }),
        )
      } catch (error) {
        throw await outcomeOf(error, { job, token, data, options })
      }
    },
    {
      connection: options.redis,
      prefix: options.prefix,
      concurrency: options.concurrency,
      lockDuration: options.lockMs,
      stalledInterval: options.stalledMs,
      // BullMQ's own count never goes down and would fail healthy uploads: the record counts crashes.
      maxStalledCount: 1_000_000,
      // How long a wake-up can be lost on a worker whose host vanished without a word.
      drainDelay: 1,
      metrics: { maxDataPoints: 60 },
    },
  )
  worker.on('error', createErrorLog(log, name))
  // Somebody else has the job now, or soon: this run must not go on.
  worker.on('lockRenewalFailed', (ids) => ids.forEach(runs.lose))
  return {
    stop: async () => {
      runs.stop()
      await worker.close()
    },
    cut: runs.cut,
    isIdle: runs.areNone,
  }
}

interface Taken {
  readonly job: Job
  readonly token: string
  readonly run: Run
  readonly lockMs: number
}

/** What one call of many may rely on that the one before it was told; a Redis that lost its last moments tells the next. */
const SURE_MS = 1000

function runningOf({ job, token, run: { abort, stopping }, lockMs }: Taken): Running {
  let heldSince = Number.NEGATIVE_INFINITY
  return {
    jobId: job.id ?? '',
    lastAttempt: job.attemptsMade + 1 >= (job.opts.attempts ?? 1),
    signal: abort.signal,
    stopping: stopping.signal,
    assertHeld: async () => {
      const asked = performance.now()
      // Redis said just now that it is ours, for longer than that.
      if (asked - heldSince > Math.min(lockMs / 2, SURE_MS)) {
        const isHeld = (await job.extendLock(token, lockMs)) === 1
        if (isHeld) heldSince = asked
        else abort.abort(new LockLost(`Another run has ${job.id} now, or soon`))
      }
      abort.signal.throwIfAborted()
    },
    dropWaitingParts: async () => job.removeUnprocessedChildren(),
  }
}

/** Whatever a run that was told to end throws then: this is what it means. */
const meaningOf = (error: unknown, { abort: { signal } }: Run): unknown =>
  signal.aborted && !(error instanceof WaitForParts) && !(error instanceof Settled) ? signal.reason : error

interface Failed<Data> {
  readonly job: Job
  readonly token: string
  readonly data: Data
  readonly options: Options<Data>
}

/** How long an earlier run of the same job, in the same process, is given to end. */
const STILL_RUNS_MS = 500

/** What BullMQ shall be told. */
async function outcomeOf<Data>(error: unknown, failed: Failed<Data>): Promise<unknown> {
  const { job, token, data, options } = failed
  if (error instanceof WaitForParts) {
    const waits = await job.moveToWaitingChildren(token)
    // Nothing to wait for after all: look again at once, but never in a hot loop.
    return waits ? new WaitingChildrenError() : delayed(failed, Math.min(1000, job.attemptsStarted))
  }
  if (error instanceof Settled) return new UnrecoverableError(error.message)
  if (error instanceof ProcessStops) {
    await job.moveToWait(token)
    return new WaitingError()
  }
  if (error instanceof StillRuns) return delayed(failed, STILL_RUNS_MS)
  const delayMs = putOffMs(error)
  // One that lost its job may say what it wants: it is refused, and rightly.
  if (delayMs === undefined || !(error instanceof Error)) return error
  await options.onPutOff(data, error)
  return delayed(failed, delayMs)
}

async function delayed<Data>({ job, token }: Failed<Data>, delayMs: number): Promise<DelayedError> {
  await job.moveToDelayed(Date.now() + delayMs, token)
  return new DelayedError()
}

/** A person needs minutes at the least; looking costs one script call. */
const PERSON_POLL_MS = 5000
/** An account may be parked for hours; the deadline, or a person, may come first. */
const PARKED_POLL_MS = 60_000
const UNREADABLE_POLL_MS = 60_000

/** How long to wait before the next run that uses no attempt; `undefined` when the failure counts. */
function putOffMs(error: unknown): number | undefined {
  const jitter = 1 + Math.random() / 4
  if (error instanceof TryLater) return error.delayMs
  if (error instanceof AccountParked) return Math.min(Math.max(100, error.delayMs), PARKED_POLL_MS) * jitter
  if (error instanceof NeedsPerson) return PERSON_POLL_MS * jitter
  // The circuit of the account decides when the next call may go out.
  if (error instanceof Unreachable) return 300 * jitter
  // Parked until a Stevedore that can read it is back.
  if (error instanceof UnknownRecord) return UNREADABLE_POLL_MS
  return undefined
}

/** Whether an error says when to come back rather than what went wrong. */
export const isPutOff = (error: unknown): boolean => putOffMs(error) !== undefined
