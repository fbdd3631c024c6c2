import { Queue } from 'bullmq'
import type { JobsOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { UploadRecord } from './records/upload.ts'

/** The contract between the processes: queue names, job data, ids and attempts. */
export const UPLOAD_QUEUE = 'upload'
export const PART_QUEUE = 'part'

/** BullMQ's keys stand apart from ours, in the same slot. */
export const queuePrefix = (prefix: string): string => `${prefix}:queue`

export const uploadJob = z.object({ upload: z.string() })
export type UploadJob = z.infer<typeof uploadJob>

export const partJob = z.object({
  upload: z.string(),
  epoch: z.number(),
  blob: z.string(),
  number: z.number(),
})
export type PartJob = z.infer<typeof partJob>

/** Ids are computed, so that adding twice is adding once. A new run of an upload is a job of its own. */
export const uploadJobId = (upload: string, run: number): string => `${upload}-r${run}`

export const partJobId = ({ upload, epoch, blob, number }: PartJob): string =>
  `${upload}-e${epoch}-${blob}-${number}`

/** Ended jobs are kept for people to look at; nothing depends on them. An upload's job names all its parts. */
const UPLOAD_JOBS_KEPT = 1000
const PART_JOBS_KEPT = 10_000
/** What BullMQ says of its jobs: nobody here listens. */
const EVENTS_KEPT = 1000
const streams = { events: { maxLen: EVENTS_KEPT } }

const ageS = (ms: number): number => Math.max(1, Math.ceil(ms / 1000))

const uploadJobOptions = (retainMs: number): JobsOptions => ({
  attempts: 10,
  backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
  removeOnComplete: { age: ageS(retainMs), count: UPLOAD_JOBS_KEPT },
  removeOnFail: { age: ageS(retainMs), count: UPLOAD_JOBS_KEPT },
  stackTraceLimit: 3,
  keepLogs: 20,
  sizeLimit: 4096,
})

/** Attempts of a part that is itself to blame; trouble of the other side uses none. */
export const PART_ATTEMPTS = 5

const partJobOptions = (retainMs: number): JobsOptions => ({
  attempts: PART_ATTEMPTS,
  backoff: { type: 'exponential', delay: 500, jitter: 0.5 },
  // The parent is woken at once and cleans up; the reason is in the record.
  continueParentOnFailure: true,
  removeOnComplete: { age: ageS(retainMs), count: PART_JOBS_KEPT },
  // An id that sits in `failed` would never run again, and its parent would wait for it for ever.
  removeOnFail: true,
  stackTraceLimit: 3,
  keepLogs: 20,
  sizeLimit: 4096,
})

/** Parts far into a file yield to the first parts of others, so a small upload is not stuck behind a big one. */
const partPriority = (number: number): number => 1 + Math.floor(number / 20)

interface Options {
  readonly redis: Redis
  readonly prefix: string
  /** How long ended jobs are kept, in ms. */
  readonly retainMs: number
}

export function openQueues({ redis, prefix, retainMs }: Options) {
  const options = { connection: redis, prefix: queuePrefix(prefix), streams }
  const uploads = new Queue<UploadJob>(UPLOAD_QUEUE, options)
  const parts = new Queue<PartJob>(PART_QUEUE, options)
  // The connection reports its own errors. Without a listener BullMQ prints them, command and arguments and all.
  for (const queue of [uploads, parts]) queue.on('error', () => undefined)

  return {
    uploads,
    parts,

    /** Gives running uploads their orchestrator jobs. */
    addUploads: async (
      started: readonly { readonly id: string; readonly run: number; readonly fileName: string }[],
    ): Promise<void> => {
      if (started.length === 0) return
      await uploads.addBulk(
        started.map(({ id, run, fileName }) => ({
          name: fileName,
          data: { upload: id },
          opts: { ...uploadJobOptions(retainMs), jobId: uploadJobId(id, run) },
        })),
      )
    },

    /** Hangs parts of one blob under their upload's job. */
    addParts: async (
      record: UploadRecord,
      { blob, total, numbers }: { blob: string; total: number; numbers: readonly number[] },
    ): Promise<void> => {
      const parent = { id: uploadJobId(record.id, record.run), queue: uploads.qualifiedName }
      const label = blob === 'file' ? record.fileName : `${record.fileName} ${blob}`
      await parts.addBulk(
        numbers.map((number) => {
          const data = { upload: record.id, epoch: record.epoch, blob, number }
          const own = { jobId: partJobId(data), priority: partPriority(number), parent }
          const opts = { ...partJobOptions(retainMs), ...own }
          return { name: `${label} · part ${number} of ${total}`, data, opts }
        }),
      )
    },

    close: async (): Promise<void> => {
      await Promise.all([uploads.close(), parts.close()])
    },
  }
}

export type Queues = ReturnType<typeof openQueues>

interface WhichParts {
  readonly blob: string
  readonly numbers: readonly number[]
}

/**
 * Forgets completed jobs of parts whose receipts are missing all the same, as after a Redis that lost its last
 * moments: under the same id, none could be added again.
 */
export async function forgetCompletedParts(
  { parts }: Queues,
  { id, epoch }: UploadRecord,
  { blob, numbers }: WhichParts,
): Promise<void> {
  await Promise.all(
    numbers.map(async (number) => {
      const jobId = partJobId({ upload: id, epoch, blob, number })
      if ((await parts.getJobState(jobId)) === 'completed') await parts.remove(jobId)
    }),
  )
}
