import type { Http } from '#shared/http.ts'
import { pause } from '#shared/pause.ts'
import type { AccountAccess } from '../provider.ts'
import type { ApiCall } from './api.ts'
import type { Settings } from './request.ts'

/** Waits of this provider, in ms. Tests pass small ones. */
export interface Timing {
  /** One API call from first to last byte; the SDK has the same. */
  readonly apiMs: number
  /** `/status` hangs when its version is complete. */
  readonly statusMs: number
  /** One part; the SDK's own bound. Slow lines are real, dead ones are noticed by the stall watchdog. */
  readonly partMs: number
  /** Reads lag writes by up to some seconds: the first pause before looking again, growing with each. */
  readonly lagMs: number
  readonly looks: number
  /** First pause of a repeated read. */
  readonly retryMs: number
  /** The longest wait for the authenticator's next code. */
  readonly codeMs: number
}

export const defaultTiming: Timing = {
  apiMs: 30_000,
  statusMs: 5_000,
  partMs: 3_600_000,
  lagMs: 1_000,
  looks: 4,
  retryMs: 500,
  codeMs: 30_500,
}

/** What one call of the contract works with. */
export interface Work {
  readonly account: AccountAccess
  readonly settings: Settings
  readonly api: ApiCall
  /** Storage knows no account: own connections, and never a cookie. */
  readonly storage: Http
  readonly timing: Timing
  /** Now, and how far the server's clock is ahead of it, as its last answer showed. */
  readonly now: () => number
  readonly serverAhead: () => number | undefined
  readonly signal: AbortSignal
}

/** Looks until there is something to see, with growing pauses, as reads lag writes. */
export const lookFor = async <T>(
  { timing, signal }: Work,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> => {
  for (let n = 1; ; n++) {
    const seen = await look()
    if (seen !== undefined || n >= timing.looks) return seen
    await pause(timing.lagMs * n, signal)
  }
}
