import { createHash } from 'node:crypto'
import type { Slice } from '../provider.ts'

export interface Digested {
  readonly slice: Slice
  /**
   * MD5 of what was read from the slice, lower-case hex. `undefined` while not all of it was read since it was last
   * opened.
   */
  readonly md5: () => string | undefined
}

const MD5_OF_NOTHING = createHash('md5').digest('hex')

/** The same slice, with the MD5 made of what is sent of it: nothing is read a second time. */
export const digestOnTheWay = ({ length, open }: Slice): Digested => {
  // Nobody opens an empty slice to send it.
  let md5 = length === 0 ? MD5_OF_NOTHING : undefined
  const reopen = () => {
    md5 = undefined
    const stream = open()
    stream.on(
      'data',
      digesting(length, (hex) => (md5 = hex)),
    )
    // Listening starts the flow; whoever takes the stream decides when that is.
    return stream.pause()
  }
  return { slice: { length, open: reopen }, md5: () => md5 }
}

/** Tells with the last byte, as a store may answer before the end of the stream was seen. */
const digesting = (length: number, tell: (md5: string | undefined) => void) => {
  const hash = createHash('md5')
  let seen = 0
  return (chunk: Uint8Array): void => {
    const whole = seen === length
    seen += chunk.length
    if (!whole) hash.update(chunk)
    if (!whole && seen === length) tell(hash.digest('hex'))
    if (seen > length) tell(undefined)
  }
}
