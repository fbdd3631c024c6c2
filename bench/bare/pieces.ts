import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { CloudrevePlan } from './plan.ts'

/** What is sent by one request. */
export interface Piece {
  readonly body: Buffer | Readable
  readonly length: number
  /** Hex, of what was sent; `undefined` where nobody wants to know. */
  readonly md5: () => string | undefined
}

interface Stretch {
  readonly offset: number
  readonly length: number
  /** Size of the whole file. */
  readonly of: number
}

// Smaller ones are not worth a stream.
const WHOLE = 1024 * 1024
const CHUNK = 256 * 1024

/** Reads as plainly as one can, and makes the MD5s on the way where the service makes them: of what goes to a store. */
export function createPieces({ hashing, folder }: CloudrevePlan) {
  if (hashing === 'none') return zeros()
  const isHashed = folder.includes('/s3/')
  return async (path: string, { offset, length, of }: Stretch): Promise<Piece> => {
    const hash = isHashed ? createHash('md5') : undefined
    const md5 = (): string | undefined => hash?.digest('hex')
    if (length === of && of <= WHOLE) {
      const body = await readFile(path)
      hash?.update(body)
      return { body, length, md5 }
    }
    const body = createReadStream(path, { start: offset, end: offset + length - 1, highWaterMark: CHUNK })
    // Listening starts the flow; whoever takes the stream decides when that is.
    if (hash !== undefined) body.on('data', (chunk) => hash.update(chunk)).pause()
    return { body, length, md5 }
  }
}

function zeros() {
  let block = Buffer.alloc(0)
  return async (_: string, { length }: Stretch): Promise<Piece> => {
    if (block.length < length) block = Buffer.alloc(length)
    return { body: block.subarray(0, length), length, md5: () => undefined }
  }
}
