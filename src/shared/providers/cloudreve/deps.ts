import type { Http } from '#shared/http.ts'
import type { AccountAccess } from '../provider.ts'
import type { ApiCall } from './site/api.ts'
import type { Settings } from './request.ts'

/** Waits of this provider, in ms. Tests pass small ones. */
export interface Timing {
  /** One API call from first to last byte. */
  readonly apiMs: number
  /** One chunk. Slow lines are real, dead ones are noticed by the stall watchdog. */
  readonly chunkMs: number
  /** Completing a multipart upload at a store, which may copy all of it first. */
  readonly completeMs: number
  /** First pause of a repeated call. */
  readonly retryMs: number
  /** How long a running session's lost reply is given to settle before it is removed. */
  readonly settleMs: number
  /** How long a site may go on showing as unfinished what it was sent whole; most need no time at all. */
  readonly confirmMs: number
  /** How long the authenticator's next code may be waited for. */
  readonly codeMs: number
}

export const defaultTiming: Timing = {
  apiMs: 60_000,
  chunkMs: 3_600_000,
  completeMs: 300_000,
  retryMs: 500,
  settleMs: 500,
  confirmMs: 15_000,
  codeMs: 30_500,
}

/** What one call of the contract works with. */
export interface Work {
  readonly account: AccountAccess
  readonly settings: Settings
  readonly api: ApiCall
  /** Stores and slave nodes know no account: own connections, and never a token. */
  readonly storage: Http
  readonly timing: Timing
  /** By this host's clock. */
  readonly now: () => number
  /** How far the site's clock is ahead of it, in ms, as its last answer showed. */
  readonly serverAhead: () => number
  readonly signal: AbortSignal
}
