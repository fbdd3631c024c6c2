import type { Readable, Writable } from 'node:stream'

export type Output = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export type Input = Readable & {
  readonly isTTY?: boolean
  readonly setRawMode?: (raw: boolean) => unknown
}

/** All that a command sees of the process it runs in. */
export interface Io {
  /** What was asked for. */
  readonly out: Output
  /** Questions, warnings, errors. */
  readonly err: Output
  readonly input: Input
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted with an `Interrupted` when the person wants to stop. */
  readonly signal: AbortSignal
}

export const line = (output: Output, text = ''): void => {
  output.write(`${text}\n`)
}

/** A person can be asked. */
export const isInteractive = ({ input, err }: Io): boolean => input.isTTY === true && err.isTTY === true
