/** What a failure is called in records, API answers and the dead-letter list. Stable: people filter by it. */
export type ErrorClass =
  | 'aborted-by-provider'
  | 'bad-request'
  | 'conflict'
  | 'deadline'
  | 'etag-mismatch'
  | 'foreign-version'
  | 'internal'
  | 'part-failed'
  | 'poison'
  | 'refused'
  | 'session-lost'
  | 'source-changed'
  | 'source-refused'
  | 'unconfirmed'
  | 'verify-failed'

/** Trying again cannot help: bad input, a deleted file, a refusal that will not change by itself. */
export class FatalError extends Error {
  override name = 'FatalError'
  readonly class: ErrorClass

  constructor(errorClass: ErrorClass, message: string, options?: ErrorOptions) {
    super(message, options)
    this.class = errorClass
  }
}

/** What was asked for is not there, or no longer. */
export class Missing extends FatalError {
  override name = 'Missing'

  constructor(message: string, options?: ErrorOptions) {
    super('refused', message, options)
  }
}

/** Nothing broke; the other side wants us back later. Does not use up an attempt. */
export class TryLater extends Error {
  override name = 'TryLater'
  readonly delayMs: number

  constructor(message: string, delayMs: number, options?: ErrorOptions) {
    super(message, options)
    this.delayMs = delayMs
  }
}

/** This process stops: what it can not end goes back as it is, for another process to take at once. */
export class ProcessStops extends TryLater {
  override name = 'ProcessStops'

  constructor() {
    super('This process stops', 0)
  }
}

/**
 * This machine lacks something: room on its disk, descriptors, a mount. Neither the upload's fault nor the other
 * side's, so it waits like `TryLater`; but nobody else ends it, so whoever keeps the machine has to hear of it.
 */
export class HostTrouble extends TryLater {
  override name = 'HostTrouble'
}

/** Node's code of an error, such as `ENOSPC` or `ERR_WORKER_INIT_FAILED`; empty when it has none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** Code of a failed system call, such as `ENOSPC`; empty for every other error. */
export const systemCodeOf = (error: unknown): string =>
  /^E[A-Z0-9]+$/.test(codeOf(error)) ? codeOf(error) : ''

/**
 * No connection, no answer, 408, 429, 5xx: the other side's trouble, whoever asked. Uses no attempt; opens
 * the circuit of that account and host. The outcome of the call is unknown: read back before repeating it.
 */
export class Unreachable extends Error {
  override name = 'Unreachable'
  /** Origin that could not be reached, such as `https://api.vrchat.cloud`. */
  readonly host: string

  constructor(host: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.host = host
  }
}

/**
 * The provider asked the whole account to stop for a while (429, or any answer with `Retry-After`). With an
 * `Unreachable` as its cause, the outcome of the call is unknown, as it is after that: read back first.
 */
export class AccountParked extends Error {
  override name = 'AccountParked'
  /** How long nothing of this account may be sent, in ms from now. */
  readonly delayMs: number

  constructor(message: string, delayMs: number, options?: ErrorOptions) {
    super(message, options)
    this.delayMs = delayMs
  }
}

/** A person has to act (code, new password) before anything of this account can go on. Uses no attempt. */
export class NeedsPerson extends Error {
  override name = 'NeedsPerson'
  readonly state: 'needs-login' | 'needs-2fa'

  constructor(state: 'needs-login' | 'needs-2fa', message: string, options?: ErrorOptions) {
    super(message, options)
    this.state = state
  }
}

/**
 * The provider takes the parts of this blob only in order, though its session promised more: whoever is early waits
 * for the part before, from now on.
 */
export class InOrder extends TryLater {
  override name = 'InOrder'
}

/** The other side failed at this request, which may work the next time: uses an attempt, and comes back after a pause. */
export class ProviderTrouble extends Error {
  override name = 'ProviderTrouble'
}

/** This part's own fault (refused, stored differently): uses one of the part's attempts. */
export class Blamed extends Error {
  override name = 'Blamed'
  readonly class: ErrorClass

  constructor(message: string, errorClass: ErrorClass = 'part-failed', options?: ErrorOptions) {
    super(message, options)
    this.class = errorClass
  }
}

/** The remote session is gone or no longer fits the source: a new epoch may help, this one cannot. */
export class StartOver extends Error {
  override name = 'StartOver'
  readonly class: ErrorClass

  constructor(errorClass: ErrorClass, message: string, options?: ErrorOptions) {
    super(message, options)
    this.class = errorClass
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
