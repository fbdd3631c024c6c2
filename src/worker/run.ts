import { DelayedError, UnrecoverableError, WaitingChildrenError, WaitingError, Worker } from 'bullmq'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { z } from 'zod'
import { AccountParked, NeedsPerson, TryLater, Unreachable } from '#shared/errors.ts'
import { UnknownRecord } from '#shared/records/upload.ts'

/** Why a job's signal was aborted by us. */
export const SHUTDOWN = 'shutdown'
const LOCK_LOST = 'lock-lost'

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
  /** Aborts on shutdown and when the job's lock was lost. */
  readonly signal: AbortSignal
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

/** Runs a plain function as the processor of a queue: the only place that knows BullMQ's control flow. */
export function runQueue<Data>(handle: Handle<Data>, options: Options<Data>): Worker {
  const { name, log } = options
  const worker = new Worker(
    name,
    // Three named parameters: BullMQ makes the signal only for a processor that declares it.
    async (job: Job, token: string | undefined, signal: AbortSignal | undefined) => {
      const data = options.schema.parse(job.data)
      try {
        return await handle(data, runningOf(job, signal ?? new AbortController().signal))
      } catch (error) {
        throw await outcomeOf(error, { job, token: token ?? '', data, signal, options })
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
  worker.on('error', (error) => log.warn({ err: error }, `queue ${name}: ${error.message}`))
  // Somebody else has the job now, or soon: this run must not go on.
  worker.on('lockRenewalFailed', (ids) => ids.forEach((id) => worker.cancelJob(id, LOCK_LOST)))
  return worker
}

const runningOf = (job: Job, signal: AbortSignal): Running => ({
  jobId: job.id ?? '',
  lastAttempt: job.attemptsMade + 1 >= (job.opts.attempts ?? 1),
  signal,
  dropWaitingParts: async () => job.removeUnprocessedChildren(),
})

interface Failed<Data> {
  readonly job: Job
  readonly token: string
  readonly data: Data
  readonly signal: AbortSignal | undefined
  readonly options: Options<Data>
}

/** What BullMQ shall be told. */
async function outcomeOf<Data>(error: unknown, failed: Failed<Data>): Promise<unknown> {
  const { job, token, data, signal, options } = failed
  if (error instanceof WaitForParts) {
    const waits = await job.moveToWaitingChildren(token)
    // Nothing to wait for after all: look again at once, but never in a hot loop.
    return waits ? new WaitingChildrenError() : delayed(failed, Math.min(1000, job.attemptsStarted))
  }
  if (error instanceof Settled) return new UnrecoverableError(error.message)
  if (signal?.aborted === true) return givenBack(error, failed)
  const delayMs = putOffMs(error)
  if (delayMs === undefined || !(error instanceof Error)) return error
  await options.onPutOff(data, error)
  return delayed(failed, delayMs)
}

/** A job that this process may not go on with: given back on shutdown, no attempt used. */
async function givenBack<Data>(error: unknown, { job, token, signal }: Failed<Data>): Promise<unknown> {
  // Lost to another process: whatever this run says is refused, and rightly.
  if (signal?.reason !== SHUTDOWN) return error
  await job.moveToWait(token)
  return new WaitingError()
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
