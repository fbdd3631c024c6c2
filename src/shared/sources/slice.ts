import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { Slice } from '#shared/providers/provider.ts'
import { type Fingerprint, assertUnchanged, sourceChanged } from './fingerprint.ts'
import { sourceError } from './refusal.ts'

// Few system calls a second at any upload speed, and yet little memory for each part under way.
const CHUNK = 256 * 1024

/** A stretch of a file, in bytes. */
export interface Range {
  readonly offset: number
  readonly length: number
}

export interface SliceOptions {
  /** For messages. */
  readonly path: string
  /** Opens the file anew; the slice closes what it gets. */
  readonly open: () => Promise<FileHandle>
  /** The file as it was accepted, when that matters. */
  readonly expected?: Fingerprint | undefined
  readonly range: Range
}

/**
 * Bytes of a file, as often as asked for, at most two chunks of them in memory. A stream fails with
 * `StartOver('source-changed')`, before its last byte, when the file is too short or was changed: so no
 * receiver that counts bytes ever takes a mixture of two files for the whole.
 */
export const createSlice = (options: SliceOptions): Slice => ({
  length: options.range.length,
  open: () => Readable.from(bytesOf(options), { objectMode: false, highWaterMark: CHUNK }),
})

async function* bytesOf({ path, open, expected, range }: SliceOptions): AsyncGenerator<Buffer> {
  await using handle = await open()
  const end = range.offset + range.length
  let position = range.offset
  do {
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK, end - position))
    const length = await readFully(handle, { into: chunk, position, path })
    if (length < chunk.length) throw sourceChanged(path, `it ends at byte ${position + length}`)
    position += length
    if (position === end && expected !== undefined) await assertUnchanged(handle, expected, path)
    if (length > 0) yield chunk
  } while (position < end)
}

/** Fills the buffer from `position` on and answers how much that was: less only at the end of the file. */
export const readFully = async (
  handle: FileHandle,
  { into, position, path }: { into: Uint8Array; position: number; path: string },
): Promise<number> => {
  let filled = 0
  while (filled < into.length) {
    const { bytesRead } = await handle
      .read(into, filled, into.length - filled, position + filled)
      .catch((error: unknown) => {
        throw sourceError(path, error)
      })
    if (bytesRead === 0) return filled
    filled += bytesRead
  }
  return filled
}
