/** Who calls, and how often at once. */
export interface Caller {
  name: string
  /** No call is wanted before this, after a 429 that said so. */
  quiet: { since: number; until: number } | undefined
  stats: CallStats
}

export interface CallStats {
  calls: number
  inFlight: number
  maxInFlight: number
  /** Shortest time from one arrival to the next; Infinity below two calls. */
  minGapMs: number
  /** Shortest time from the end of a call to the next arrival, when nothing else ran. */
  minIdleMs: number
  lastArrival: number
  lastEnd: number
}

export function createCaller(name: string): Caller {
  return {
    name,
    quiet: undefined,
    stats: {
      calls: 0,
      inFlight: 0,
      maxInFlight: 0,
      minGapMs: Infinity,
      minIdleMs: Infinity,
      lastArrival: -Infinity,
      lastEnd: -Infinity,
    },
  }
}

/** Clients that were told to wait are given this long for calls already on their way. */
const ON_ITS_WAY_MS = 50

interface Rules {
  violations: string[]
  /** More calls of one account at once than this count as a violation. */
  maxConcurrentCalls: number
}

/** Notes the arrival of one of the account's calls; answers what to do when it ended. */
export function countCall(rules: Rules, { stats, name, quiet }: Caller, operation: string): () => void {
  const now = performance.now()
  stats.calls += 1
  stats.minGapMs = Math.min(stats.minGapMs, now - stats.lastArrival)
  if (stats.inFlight === 0) stats.minIdleMs = Math.min(stats.minIdleMs, now - stats.lastEnd)
  stats.lastArrival = now
  stats.inFlight += 1
  stats.maxInFlight = Math.max(stats.maxInFlight, stats.inFlight)
  const limit = rules.maxConcurrentCalls
  if (stats.inFlight > limit) {
    rules.violations.push(`${operation}: ${stats.inFlight} calls of ${name} at once, ${limit} allowed`)
  }
  // A timer may fire a millisecond or so early, hence the slack.
  if (quiet !== undefined && now > quiet.since + ON_ITS_WAY_MS && now < quiet.until - 25) {
    const tooEarly = Math.round(quiet.until - now)
    rules.violations.push(`${operation}: ${name} called ${tooEarly} ms before Retry-After was over`)
  }
  return () => {
    stats.inFlight -= 1
    stats.lastEnd = performance.now()
  }
}

/** Remembers until when the caller was asked to stay away, when it was. */
export function noteRetryAfter(caller: Caller, status: number, retryAfter: unknown): void {
  const seconds = status === 429 && typeof retryAfter === 'string' ? secondsOf(retryAfter) : 0
  if (seconds <= 0) return
  const since = performance.now()
  caller.quiet = { since, until: since + seconds * 1000 }
}

/** 0 for what is neither whole seconds nor a date: no client can honour that. */
function secondsOf(retryAfter: string): number {
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter)
  // A bare number with a sign or a dot would pass for a date.
  if (!/^[A-Z][a-z]{2},/.test(retryAfter)) return 0
  const time = Date.parse(retryAfter)
  return Number.isNaN(time) ? 0 : (time - Date.now()) / 1000
}
