import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import { parseUpload, UnknownRecord } from './upload.ts'
import type { UploadRecord } from './upload.ts'

const flatRecord = z.record(z.string(), z.string())

/** An upload that only another version of Stevedore can read. */
export interface Unreadable {
  readonly id: string
  readonly unreadable: string
}

/** In one round trip and in the order asked for; only those that do not exist are left out. */
export async function readEach(
  { redis, keys }: { readonly redis: Redis; readonly keys: Keys },
  ids: readonly string[],
): Promise<(UploadRecord | Unreadable)[]> {
  const pipeline = redis.pipeline()
  for (const id of ids) pipeline.hgetall(keys.upload(id))
  const answers = (await pipeline.exec()) ?? []
  return answers.flatMap(([error, answer], index) => {
    if (error !== null) throw error
    const fields = flatRecord.parse(answer)
    return Object.keys(fields).length === 0 ? [] : [readableOr(ids[index] ?? '', fields)]
  })
}

function readableOr(id: string, fields: Record<string, string>): UploadRecord | Unreadable {
  try {
    return parseUpload(fields)
  } catch (error) {
    if (error instanceof UnknownRecord) return { id, unreadable: error.message }
    throw error
  }
}
