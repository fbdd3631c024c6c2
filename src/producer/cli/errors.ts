/** All done; some failed or were refused; wrong use; service not reachable. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const

/** The command line, a setting or an answer can not be used as it is. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** No whole answer came from the service: it is not running, is elsewhere, or was ended meanwhile. */
export class NotReachable extends Error {
  override name = 'NotReachable'
  /** It was there a moment ago, so another attempt is worth it. */
  readonly lost: boolean

  constructor(message: string, { lost, cause }: { readonly lost: boolean; readonly cause?: unknown }) {
    super(message, { cause })
    this.lost = lost
  }
}

/** What was asked for was not done; the message says why. */
export class Failed extends Error {
  override name = 'Failed'
}

/** A person pressed Ctrl-C, or the process was told to end. The message is for them, and may be empty. */
export class Interrupted extends Error {
  override name = 'Interrupted'
  readonly exitCode: number

  constructor(exitCode: number, message = '') {
    super(message)
    this.exitCode = exitCode
  }
}
