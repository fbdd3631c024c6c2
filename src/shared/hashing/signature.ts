const BLOCK = 2048
const HEADER = 12
const WEAK = 4
const STRONG = 32
const ENTRY = WEAK + STRONG

// RS_BLAKE2_SIG_MAGIC: rollsum for the weak sums, BLAKE2b for the strong ones.
// https://github.com/librsync/librsync/blob/798dc4f/src/librsync.h
const MAGIC = 0x72730137

// ROLLSUM_CHAR_OFFSET: https://github.com/librsync/librsync/blob/ec0c93b/src/rollsum.h
const CHAR_OFFSET = 31

/** Bytes of the librsync signature of a source of `size` bytes. */
export const signatureSize = (size: number): number => HEADER + ENTRY * Math.ceil(size / BLOCK)

/** Bytes of signature that `signatureOf` makes of a chunk; every chunk of a source but its last is whole blocks. */
export const entriesSize = (chunkSize: number): number => ENTRY * Math.ceil(chunkSize / BLOCK)

export const signatureHeader = (): Uint8Array => {
  const header = Buffer.alloc(HEADER)
  header.writeUInt32BE(MAGIC, 0)
  header.writeUInt32BE(BLOCK, 4)
  header.writeUInt32BE(STRONG, 8)
  return header
}

/** Where the bytes of a stretch of a signature come from. */
export interface SignatureOrigin {
  /** Source bytes to read, `from` at a block's begin, `to` past the last. */
  readonly from: number
  readonly to: number
  /** Whether the stretch begins in the header. */
  readonly header: boolean
  /** Signature bytes made from these that come before the stretch. */
  readonly skip: number
}

/** Which source bytes `length` bytes of its signature from `offset` on are made from. */
export const signatureOrigin = (
  sourceSize: number,
  { offset, length }: { offset: number; length: number },
): SignatureOrigin => {
  const header = offset < HEADER
  const first = header ? 0 : Math.floor((offset - HEADER) / ENTRY)
  const blocks = Math.max(0, Math.ceil((offset + length - HEADER) / ENTRY))
  const from = Math.min(first * BLOCK, sourceSize)
  return {
    from,
    to: Math.max(from, Math.min(blocks * BLOCK, sourceSize)),
    header,
    skip: header ? offset : offset - HEADER - first * ENTRY,
  }
}

/**
 * Writes the entries of all blocks of a chunk, the last of which may be short, and answers their size.
 * https://github.com/librsync/librsync/blob/ec0c93b/src/mksum.c
 */
export type WriteEntries = (chunk: Uint8Array, into: Buffer) => number

export const createEntryWriter = async (): Promise<WriteEntries> => {
  // Loaded here: of all threads that know how long a signature is, one makes any.
  const { createBLAKE2b } = await import('hash-wasm')
  const blake2b = await createBLAKE2b(8 * STRONG)
  return (chunk, into) => {
    let written = 0
    for (let from = 0; from < chunk.length; from += BLOCK) {
      const to = Math.min(from + BLOCK, chunk.length)
      into.writeUInt32BE(rollsum(chunk, from, to), written)
      into.set(blake2b.init().update(chunk.subarray(from, to)).digest('binary'), written + WEAK)
      written += ENTRY
    }
    return written
  }
}

/**
 * librsync's weak sum of bytes [from, to).
 * https://github.com/librsync/librsync/blob/4e99e9e/src/rollsum.c
 */
export const rollsum = (bytes: Uint8Array, from: number, to: number): number => {
  let sum = 0
  let sumOfSums = 0
  for (let at = from; at < to; at += 1) {
    // `| 0` keeps both in machine integers; only their low 16 bits count. The index is always inside.
    sum = (sum + (bytes[at] ?? 0)) | 0
    sumOfSums = (sumOfSums + sum) | 0
  }
  // The offsets of all bytes at once: this almost doubles the speed of the loop.
  const count = to - from
  sum += CHAR_OFFSET * count
  sumOfSums += CHAR_OFFSET * ((count * (count + 1)) / 2)
  return ((sumOfSums << 16) | (sum & 0xffff)) >>> 0
}
