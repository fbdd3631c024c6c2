import { createInterface } from 'node:readline'
import { UsageError } from '../errors.ts'
import type { Io } from '../io.ts'

/** Hands out the lines of standard input one after the other. */
export interface StdinLines {
  /** Throws `UsageError` when there is no further line; `what` names what was to be on it. */
  readonly next: (what: string) => Promise<string>
}

// Nobody pipes a secret longer than this; a file given by mistake is not read to its end.
const MOST = 64 * 1024

export const createStdinLines = ({ input, signal }: Pick<Io, 'input' | 'signal'>): StdinLines => {
  let lines: AsyncIterator<string> | undefined
  return {
    next: async (what) => {
      lines ??= createInterface({ input, signal, crlfDelay: Infinity })[Symbol.asyncIterator]()
      const { value, done } = await lines.next()
      signal.throwIfAborted()
      if (done === true || value === '') throw new UsageError(`Standard input has no line with the ${what}`)
      if (value.length > MOST) throw new UsageError(`The ${what} on standard input is too long`)
      return value
    },
  }
}
