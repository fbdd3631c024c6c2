import type { Redis } from 'ioredis'
import { createKeys } from '#shared/keys.ts'
import { ACCOUNT } from './service.ts'
import { PREFIX } from './stage.ts'

const keys = createKeys(PREFIX)

/** A part that a worker has begun and not ended. */
export interface PartInHand {
  readonly upload: string
  readonly blob: string
  readonly number: number
  readonly job: string
  /** Its bytes are on their way; otherwise it waits for its turn, or is about to end. */
  readonly isSending: boolean
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
      const sending = new Set(await redis.zrange(keys.accountLeases(ACCOUNT, 'parts'), 0, '-1'))
      const all = await Promise.all(
        uploads.map(async (upload) =>
          (await jobsOf(pid, upload)).flatMap((job) => partOf(upload, job, sending.has(job)) ?? []),
        ),
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

/** `upl_…-e1-file-7`; an upload's own job, `upl_…-r1`, is none. */
function partOf(upload: string, job: string, isSending: boolean): PartInHand | undefined {
  const [, blob, number] = /-e\d+-(\w+)-(\d+)$/.exec(job) ?? []
  if (blob === undefined || number === undefined) return undefined
  return { upload, blob, number: Number(number), job, isSending }
}
