import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { type Fingerprint, assertUnchanged, sourceChanged } from '#shared/sources/fingerprint.ts'
import { type Roots, openSource } from '#shared/sources/open.ts'
import { readFully } from '#shared/sources/slice.ts'
import { chunkCount, chunkLength, createChunks, slotOf, slotView } from './chunks.ts'
import type { DigestResults, DigestTask } from './digest.ts'
import type { DigestThreads, RunningDigest } from './digests.ts'

/** One read of [from, to) of a source, and what to make of it. */
export interface Pass {
  readonly path: string
  readonly roots: Roots | undefined
  readonly expected: Fingerprint
  readonly from: number
  readonly to: number
  /** Whether to hash all that is read. */
  readonly md5: boolean
  readonly parts: (DigestTask & { readonly kind: 'parts' }) | undefined
  readonly signature: (DigestTask & { readonly kind: 'signature' }) | undefined
}

export interface PassResult {
  readonly md5: string
  readonly parts: DigestResults['parts'] | undefined
  readonly signature: DigestResults['signature'] | undefined
}

// Often enough that a changed file costs a fraction of a second, rarely enough to cost nothing itself.
const CHUNKS_PER_CHECK = 64

export type RunPass = (pass: Pass) => Promise<PassResult>

/**
 * Reads the source once, for all digests at the same time: this thread reads ahead and makes the MD5 of the
 * whole, each other digest has a thread. A pass fails with `StartOver('source-changed')` unless the file was
 * the expected one before the first byte and still is after the last; it ends early when it sees a change.
 */
export const createRunPass = (threads: DigestThreads): RunPass => {
  const chunks = createChunks()
  return async (pass) => {
    await using handle = await openSource(pass.path, pass.roots, pass.expected)
    using parts = pass.parts && threads.open(pass.parts, chunks)
    using signature = pass.signature && threads.open(pass.signature, chunks)
    const digests = [parts, signature].filter((digest) => digest !== undefined)
    const md5 = await readThrough({ pass, handle, chunks, digests })
    await assertUnchanged(handle, pass.expected, pass.path)
    const [partsResult, signatureResult] = await Promise.all([parts?.end(), signature?.end()])
    return { md5, parts: partsResult, signature: signatureResult }
  }
}

interface Reading {
  readonly pass: Pass
  readonly handle: FileHandle
  readonly chunks: SharedArrayBuffer
  readonly digests: readonly RunningDigest<unknown>[]
}

/** Gives every chunk to every digest and answers the MD5 of all. */
const readThrough = async (reading: Reading): Promise<string> => {
  const { pass, chunks, digests } = reading
  const md5 = createHash('md5')
  const count = chunkCount(pass.to - pass.from)
  const taken: Promise<unknown>[] = []
  let next = readChunk(reading, 0)
  for (let chunk = 0; chunk < count; chunk += 1) {
    if (chunk % CHUNKS_PER_CHECK === 0) await assertUnchanged(reading.handle, pass.expected, pass.path)
    const length = await next
    const slot = slotOf(chunk)
    taken[slot] = Promise.all(digests.map((digest) => digest.update(slot, length)))
    // The read has to be under way before this thread is busy with the MD5.
    await taken[slotOf(chunk + 1)]
    next = readChunk(reading, chunk + 1)
    if (pass.md5) md5.update(slotView(chunks, slot, length))
  }
  await Promise.all(taken)
  return md5.digest('hex')
}

/** Fills the chunk's slot and answers how many bytes it has: none past the last chunk. */
const readChunk = ({ pass, handle, chunks }: Reading, chunk: number): Promise<number> => {
  const length = Math.max(0, chunkLength(pass.to - pass.from, chunk))
  const position = pass.from + chunk * slotView(chunks, 0).length
  const into = slotView(chunks, slotOf(chunk), length)
  const read = readFully(handle, { into, position, path: pass.path }).then((filled) => {
    if (filled < length) throw sourceChanged(pass.path, `it ends at byte ${position + filled}`)
    return filled
  })
  // Whatever fails first is thrown: a read ahead may fail as well, with nobody waiting for it.
  read.catch(() => {})
  return read
}
