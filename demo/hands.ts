import type { Redis } from 'ioredis'
import { createKeys } from '#shared/keys.ts'
import { PREFIX } from './stage.ts'

const keys = createKeys(PREFIX)

/** A part that a worker has begun and not ended. */
export interface PartInHand {
  readonly upload: string
  readonly blob: string
  readonly number: number
  readonly job: string
  /** Begun to be sent, and its receipt not saved: dies the worker now, it has to be sent again. */
  readonly isInFlight: boolean
}

/** Who works on what. The API does not say it, but Redis knows: that is how a crash is noticed. */
export interface Hands {
  readonly of: (pid: number, uploads: readonly string[]) => Promise<readonly PartInHand[]>
  /** Whether nobody has any of these in hand who had them then. */
  readonly areElsewhere: (pid: number, parts: readonly PartInHand[]) => Promise<boolean>
}

export function lookAtHands(redis: Redis): Hands {
  const jobsOf = async (pid: number, upload: string): Promise<string[]> => {
    const runs = await redis.hgetall(keys.runs(upload))
    // host:pid:random
    return Object.entries(runs).flatMap(([job, process]) =>
      process.split(':').at(-2) === String(pid) ? [job] : [],
    )
  }
  return {
    of: async (pid, uploads) => {
      const all = await Promise.all(
        uploads.map(async (upload) => {
          const jobs = await jobsOf(pid, upload)
          return (await Promise.all(jobs.map(async (job) => partsOf(redis, upload, job)))).flat()
        }),
      )
      return all.flat()
    },
    areElsewhere: async (pid, parts) => {
      const uploads = [...new Set(parts.map(({ upload }) => upload))]
      const held = (await Promise.all(uploads.map((upload) => jobsOf(pid, upload)))).flat()
      return parts.every(({ job }) => !held.includes(job))
    },
  }
}

/** What a job stands for: `upl_…-e1-file-7` is a part, and an upload's own job, `upl_…-r1`, sends small blobs itself. */
async function partsOf(redis: Redis, upload: string, job: string): Promise<readonly PartInHand[]> {
  const [, epoch, blob, number] = /-e(\d+)-(\w+)-(\d+)$/.exec(job) ?? []
  if (epoch === undefined || blob === undefined || number === undefined) return ownParts(redis, upload, job)
  const [sends, receipt] = await Promise.all([
    redis.hget(keys.sending(upload, Number(epoch)), `sends/${blob}/${number}`),
    redis.hexists(keys.parts(upload, Number(epoch)), `${blob}/${number}`),
  ])
  return [{ upload, blob, number: Number(number), job, isInFlight: Number(sends ?? 0) > 0 && receipt === 0 }]
}

/** Parts that are being sent, have no receipt, and were given no job. */
async function ownParts(redis: Redis, upload: string, job: string): Promise<readonly PartInHand[]> {
  const epoch = Number(await redis.hget(keys.upload(upload), 'epoch'))
  const [sending, receipts] = await Promise.all([
    redis.hgetall(keys.sending(upload, epoch)),
    redis.hkeys(keys.parts(upload, epoch)),
  ])
  return Object.entries(sending).flatMap(([field, count]) => {
    const [, blob = '', number = ''] = /^sends\/(\w+)\/(\d+)$/.exec(field) ?? []
    const isOwn = blob !== '' && sending[`next/${blob}`] === undefined
    if (!isOwn || Number(count) === 0 || receipts.includes(`${blob}/${number}`)) return []
    return [{ upload, blob, number: Number(number), job, isInFlight: true }]
  })
}
