import { pipeline, Readable, Transform } from 'node:stream'
import type { Slice } from '../../provider.ts'

/** The slice without its first bytes, so many. */
export const tailOf = ({ length, open }: Slice, skip: number): Slice => ({
  length: length - skip,
  open: () => piped(open(), skipping(skip)),
})

const skipping = (skip: number): Transform => {
  let left = skip
  return new Transform({
    transform: (chunk: Uint8Array, _, next) => {
      const rest = chunk.subarray(left)
      left -= chunk.length - rest.length
      next(null, rest)
    },
  })
}

/** The slice with something before and behind it. */
export const framed = ({ length, open }: Slice, head: Buffer, tail: Buffer): Slice => ({
  length: head.length + length + tail.length,
  // An empty slice is never opened: what is behind it may not know how.
  open: () => piped(length === 0 ? Readable.from([]) : open(), framing(head, tail)),
})

const framing = (head: Buffer, tail: Buffer): Transform => {
  const frame = new Transform({
    transform: (chunk: Uint8Array, _, next) => next(null, chunk),
    flush: (next) => next(null, tail),
  })
  frame.push(head)
  return frame
}

/** Either end takes the other with it, and the reader hears why. */
const piped = (source: Readable, through: Transform): Readable => pipeline(source, through, () => undefined)
