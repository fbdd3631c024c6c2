import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { createHasher } from '#shared/hashing/hasher.ts'
import { fingerprintOf } from '#shared/sources/fingerprint.ts'
import type { VrchatPlan } from './plan.ts'

/** One of the two byte sequences of an upload. */
export interface Content {
  readonly size: number
  /** Base64, as VRChat wants it. */
  readonly md5: string
  readonly read: (offset: number, length: number) => Promise<Buffer | Readable>
}

export interface Contents extends AsyncDisposable {
  readonly file: Content
  readonly signature: Content
}

export interface Reader extends AsyncDisposable {
  readonly open: (path: string) => Promise<Contents>
}

// Smaller ones are not worth a stream.
const WHOLE = 1024 * 1024
const CHUNK = 256 * 1024

/** Hashes as the service does, in the same threads, and reads as plainly as one can. */
export function createReader({ hashing, partSize, hashThreads, scratch }: VrchatPlan): Reader {
  const hasher = createHasher({ threads: hashThreads })
  const never = new AbortController().signal
  let count = 0
  const openHashed = async (path: string): Promise<Contents> => {
    await using handle = await open(path)
    const expected = fingerprintOf(await handle.stat({ bigint: true }))
    const signaturePath = join(scratch, `${(count += 1)}.sig`)
    const request = { path, expected, partSize, signature: { partSize, path: signaturePath } }
    const { md5, size, signature } = await hasher.hash(request, never)
    if (signature === undefined) throw new Error('The hashing pass made no signature')
    return {
      file: contentOf(path, size, md5),
      signature: contentOf(signaturePath, signature.size, signature.md5),
      [Symbol.asyncDispose]: async () => rm(signaturePath),
    }
  }
  return {
    open: hashing === 'all' ? openHashed : async (path) => zeros((await stat(path)).size, partSize),
    [Symbol.asyncDispose]: async () => hasher[Symbol.asyncDispose](),
  }
}

const contentOf = (path: string, size: number, md5: string): Content => ({
  size,
  md5: base64Of(md5),
  read: async (offset, length) =>
    offset === 0 && length === size && size <= WHOLE
      ? readFile(path)
      : createReadStream(path, { start: offset, end: offset + length - 1, highWaterMark: CHUNK }),
})

/** The MD5 is right where it is checked: at a file that goes in one piece. */
function zeros(size: number, partSize: number): Contents {
  const block = zeroBlock(Math.min(size, partSize))
  const file = {
    size,
    md5: block.md5,
    read: async (_: number, length: number) => block.bytes.subarray(0, length),
  }
  const least = zeroBlock(1)
  const signature = { size: 1, md5: least.md5, read: async () => least.bytes }
  return { file, signature, [Symbol.asyncDispose]: async () => {} }
}

const blocks = new Map<number, { readonly bytes: Buffer; readonly md5: string }>()

function zeroBlock(size: number): { readonly bytes: Buffer; readonly md5: string } {
  const known = blocks.get(size)
  if (known !== undefined) return known
  const bytes = Buffer.alloc(size)
  const block = { bytes, md5: createHash('md5').update(bytes).digest('base64') }
  blocks.set(size, block)
  return block
}

const base64Of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')
