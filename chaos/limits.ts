import type { Evidence } from './evidence.ts'
import { RETRY_AFTER_S } from './faults.ts'
import type { Finding } from './finding.ts'
import { LIMITS } from './plan.ts'

/** I8: what the provider does not allow, and what we allow ourselves. */
export function limitsOf(evidence: Evidence): Finding[] {
  const { sendings, violations } = evidence.testimony
  const users = Map.groupBy(sendings, ({ user = 'nobody' }) => user)
  return [
    ...hastyCalls(evidence),
    ...violations
      .filter((violation) => !isOfHaste(violation))
      .map((violation) => ({ what: `against VRChat's rules: ${violation}` })),
    ...[...users].flatMap(([user, own]) => {
      const most = mostAtOnce(own)
      return most <= LIMITS.partsAtOnce
        ? []
        : [{ what: `${most} parts of ${user} at once, and ${LIMITS.partsAtOnce} are allowed` }]
    }),
  ]
}

/**
 * The fake counts every call that comes before its Retry-After is over. But one that dies in the moment in which
 * it was told to wait tells nobody else, nor does one whose Redis is gone; and a busy machine takes its time.
 */
const isOfHaste = (violation: string): boolean => violation.includes('before Retry-After was over')

// For what is on its way, and for hearing of it.
const ON_ITS_WAY_MS = 2000
// A timer may fire a bit early.
const EARLY_MS = 50
const HEARS_WITHIN_MS = 2000

/** Calls of an account that was told to wait, by somebody who had all the time to tell. */
function hastyCalls({ calls, kills }: Evidence): Finding[] {
  const own = calls.filter(({ operation }) => operation !== 'putPart')
  const pauses = own.filter(({ status }) => status === 429)
  return pauses.flatMap(({ user, endedAt = Infinity }) =>
    own
      .filter((call) => call.user === user)
      .filter(
        ({ time }) => time > endedAt + ON_ITS_WAY_MS && time < endedAt + 1000 * RETRY_AFTER_S - EARLY_MS,
      )
      .filter(({ time }) => !kills.some(({ at }) => at > endedAt - HEARS_WITHIN_MS && at < time))
      .map(({ operation, time }) => ({
        what: `${operation} of ${user} came ${time - endedAt} ms after it was told to wait ${RETRY_AFTER_S} s`,
      })),
  )
}

/** The most that were under way at the same moment; what ends as another begins was not. */
function mostAtOnce(sendings: Evidence['testimony']['sendings']): number {
  const changes = sendings.flatMap(({ time, endedAt = time }) => [
    { at: time, by: 1 },
    { at: endedAt, by: -1 },
  ])
  let [now, most] = [0, 0]
  for (const { by } of changes.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by
    most = Math.max(most, now)
  }
  return most
}
