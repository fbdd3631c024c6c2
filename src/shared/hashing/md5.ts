import { createHash } from 'node:crypto'

/** Cuts a stream of bytes into parts and hashes each: the MD5s of all, in lower-case hex, by `end`. */
export interface PartMd5s {
  readonly update: (bytes: Uint8Array) => void
  /** An empty stream has one empty part. */
  readonly end: () => string[]
}

export const createPartMd5s = (partSize: number): PartMd5s => {
  const parts: string[] = []
  let part = createHash('md5')
  let filled = 0
  const close = (): void => {
    parts.push(part.digest('hex'))
    part = createHash('md5')
    filled = 0
  }
  return {
    update: (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const taken = bytes.subarray(at, at + partSize - filled)
        part.update(taken)
        at += taken.length
        filled += taken.length
        if (filled === partSize) close()
      }
    },
    end: () => {
      if (filled > 0 || parts.length === 0) close()
      return parts
    },
  }
}
