// Zero means "try again", not "at once, a thousand times a second".
const LEAST_MS = 1000
// A week in this header is more often a bug than a wish; and one request in half a day hurts nobody.
const MOST_MS = 12 * 3_600_000

/**
 * `Retry-After` in ms from `now`, as seconds or as a date, bounded both ways. Undefined when it is absent
 * or says nothing that can be followed, such as a negative number.
 */
export const retryAfterMs = (value: string | undefined, now: number): number | undefined => {
  const text = value?.trim() ?? ''
  if (/^\d+(\.\d+)?$/.test(text)) return bounded(Number(text) * 1000)
  // Date.parse also takes "-5" and "soon 1" for dates; an HTTP date begins with its weekday.
  const date = /^(mon|tue|wed|thu|fri|sat|sun)/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : bounded(date - now)
}

const bounded = (ms: number): number => Math.min(Math.max(ms, LEAST_MS), MOST_MS)
