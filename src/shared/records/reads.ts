import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import { parseLedgerEntry } from './ledger.ts'
import type { LedgerEntry } from './ledger.ts'
import { readEach } from './read-each.ts'
import { parseUpload } from './upload.ts'
import type { UploadRecord, UploadState } from './upload.ts'

const binding = z.object({ key: z.string(), remoteId: z.string() })

/** Reading uploads: each list is one range of one index, nothing is ever scanned. */
export function createReads({ redis, keys }: { redis: Redis; keys: Keys }) {
  return {
    read: async (id: string): Promise<UploadRecord | undefined> => {
      const fields = await redis.hgetall(keys.upload(id))
      return Object.keys(fields).length === 0 ? undefined : parseUpload(fields)
    },

    /** What time it is by Redis's clock, in ms since 1970: the only one that all processes share. */
    now: async (): Promise<number> => {
      const [seconds, microseconds] = await redis.time()
      return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
    },

    /** In one round trip. Leaves out what does not exist and what only another version can read. */
    readMany: async (ids: readonly string[]): Promise<UploadRecord[]> =>
      (await readEach({ redis, keys }, ids)).flatMap((upload) => ('unreadable' in upload ? [] : [upload])),

    /** Ids, newest first, that come after the cursor. */
    list: async (
      filter: { readonly account?: string | undefined; readonly state?: UploadState | undefined },
      { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
    ): Promise<string[]> => {
      const from = cursor === undefined ? '+' : `(${cursor}`
      return redis.zrevrangebylex(keys.uploadsBy(filter), from, '-', 'LIMIT', 0, limit)
    },

    /** Uploads between dispatch and their end. */
    running: async (): Promise<string[]> => redis.zrange(keys.running, '0', '-1'),

    /** Up to `most` uploads that have not ended and whose deadline was before that time (ms since 1970). */
    overdue: async (time: number, most: number): Promise<string[]> =>
      redis.zrangebyscore(keys.deadlines, '-inf', time, 'LIMIT', 0, most),

    /** Up to `most` uploads that ended before that time (ms since 1970). */
    endedBefore: async (time: number, most: number): Promise<string[]> =>
      redis.zrangebyscore(keys.ended, '-inf', time, 'LIMIT', 0, most),

    /** How often the upload was dispatched. */
    runs: async (id: string): Promise<number> => Number(await redis.hget(keys.upload(id), 'run')),

    /** The remote id that the destination's name is bound to. */
    boundTo: async (record: UploadRecord): Promise<string | undefined> => {
      if (record.binding === '' || record.fresh !== '') return undefined
      const bound = await redis.get(keys.binding(record.binding))
      return bound === null ? undefined : binding.parse(JSON.parse(bound)).remoteId
    },

    /** The running upload that a destination belongs to. */
    owner: async (destination: string): Promise<string | undefined> =>
      (await redis.get(keys.destination(destination))) ?? undefined,

    /** The ledger of one destination, newest first. */
    versions: async (account: string, destination: string, limit: number): Promise<LedgerEntry[]> =>
      (await redis.lrange(keys.versions(account, destination), 0, limit - 1)).map(parseLedgerEntry),
  }
}
