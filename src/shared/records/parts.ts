import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { RunScript } from './scripts.ts'
import type { UploadRecord } from './upload.ts'

/** A saved receipt: what the provider answered for a part, and what was sent. */
const savedReceipt = z.object({
  etag: z.string().exactOptional(),
  md5: z.string().exactOptional(),
  bytes: z.number(),
  at: z.number(),
})
export type SavedReceipt = z.infer<typeof savedReceipt>

/** Which part: of which epoch's blob, numbered from 1. */
export interface PartKey {
  readonly upload: string
  readonly epoch: number
  readonly blob: string
  readonly number: number
}

type Content = 'source' | 'signature'

const receiptAnswer = z.tuple([z.enum(['ok', 'stale'])]).rest(z.number())

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
}

/** What is known of an upload's parts. A receipt belongs to an epoch and never enters another. */
export const createParts = (deps: Deps) => ({
  ...createReceipts(deps),
  ...createSendings(deps),
  ...createDigests(deps),
})

export type Parts = ReturnType<typeof createParts>

function createReceipts({ redis, keys, run }: Deps) {
  return {
    receipt: async ({ upload, epoch, blob, number }: PartKey): Promise<SavedReceipt | undefined> => {
      const text = await redis.hget(keys.parts(upload, epoch), `${blob}/${number}`)
      return text === null ? undefined : savedReceipt.parse(JSON.parse(text))
    },

    /** Every receipt of the blob by part number. */
    receipts: async (record: UploadRecord, blob: string): Promise<Map<number, SavedReceipt>> => {
      const all = await redis.hgetall(keys.parts(record.id, record.epoch))
      const start = `${blob}/`
      return new Map(
        Object.entries(all)
          .filter(([field]) => field.startsWith(start))
          .map(([field, text]) => [Number(field.slice(start.length)), savedReceipt.parse(JSON.parse(text))]),
      )
    },

    /**
     * Saves a receipt (once, whoever comes first) and answers the number of the part to send next, 0 for
     * none. Without a receipt it only answers again. `stale`: the epoch ended, nothing was saved.
     */
    save: async (
      { upload, epoch, blob, number }: PartKey,
      total: number,
      receipt?: SavedReceipt,
    ): Promise<number | 'stale'> => {
      const text = receipt === undefined ? '' : JSON.stringify(receipt)
      const answer = await run('receipt', upload, epoch, blob, number, text, receipt?.bytes ?? 0, total)
      const [kind, next = 0] = receiptAnswer.parse(answer)
      return kind === 'stale' ? 'stale' : next
    },
  }
}

function createSendings({ redis, keys, run }: Deps) {
  return {
    /** Whether parts of the blob were given jobs in this epoch. */
    hasChain: async ({ id, epoch }: UploadRecord, blob: string): Promise<boolean> =>
      (await redis.hexists(keys.sending(id, epoch), `next/${blob}`)) === 1,

    /** From now on each part of the blob is sent only when the one before has its receipt. */
    sendInOrder: async ({ upload, epoch, blob }: PartKey): Promise<void> => {
      await run('amend', upload, epoch, 'HSETNX', `in-order/${blob}`, 1)
    },

    /** When a part may be sent: `any` time, or in order, where the one before it has its receipt or not yet. */
    turnOf: async ({ upload, epoch, blob, number }: PartKey): Promise<'any' | 'now' | 'later'> => {
      const [inOrder, before] = await Promise.all([
        redis.hexists(keys.sending(upload, epoch), `in-order/${blob}`),
        redis.hexists(keys.parts(upload, epoch), `${blob}/${number - 1}`),
      ])
      if (inOrder === 0) return 'any'
      return number === 1 || before === 1 ? 'now' : 'later'
    },

    /** Says where the chain of a blob goes on, once: at `next`. */
    openChain: async (
      { id, epoch }: Pick<UploadRecord, 'id' | 'epoch'>,
      blob: string,
      next: number,
    ): Promise<void> => {
      await run('amend', id, epoch, 'HSETNX', `next/${blob}`, next)
    },

    /** Counts a sending that begins (1), or one that ended without receipt (-1); answers how many are open. */
    countSending: async ({ upload, epoch, blob, number }: PartKey, by: 1 | -1): Promise<number> =>
      z.number().parse(await run('amend', upload, epoch, 'HINCRBY', `sends/${blob}/${number}`, by)),

    /** Bytes that went out for nothing, or once more than needed. */
    countResent: async (upload: string, bytes: number): Promise<void> => {
      await run('amend', upload, '', 'HINCRBY', 'bytesResent', bytes)
    },
  }
}

function createDigests({ redis, keys, run }: Deps) {
  return {
    /** Keeps the MD5 of every part of a content, lower-case hex in part order, in place of older ones. */
    saveDigests: async (
      upload: string,
      digests: { readonly [C in Content]?: readonly string[] },
    ): Promise<void> => {
      const fields = Object.entries(digests).flatMap(([content, md5s]) =>
        md5s.map((md5, index) => [`${content}/${index + 1}`, md5] as const),
      )
      for (let start = 0; start < fields.length || start === 0; start += 1000) {
        const instead = start === 0 ? 'instead' : 'too'
        await run('digests', upload, instead, ...fields.slice(start, start + 1000).flat())
      }
    },

    digest: async (upload: string, content: Content, number: number): Promise<string | undefined> =>
      (await redis.hget(keys.digests(upload), `${content}/${number}`)) ?? undefined,
  }
}
