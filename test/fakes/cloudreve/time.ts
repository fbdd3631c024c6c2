import type { Site } from './site.ts'

/** The clock that sessions and locks expire by: the real one, and as far ahead as was asked. */
export function createClock(): { now: () => number; pass: (ms: number) => void } {
  let ahead = 0
  return {
    now: () => Date.now() + ahead,
    pass: (ms) => {
      ahead += ms
    },
  }
}

const watched = new Set(['s3', 'ks3', 'cos', 'onedrive'])
const SENTINEL_MS = 5 * 60_000

/** The task that drops what an expired session left at these providers; the placeholder stays. */
export async function runSentinels(site: Site): Promise<void> {
  for (const session of site.sessions.expired()) {
    const isDue = site.now() >= session.expires + SENTINEL_MS && !session.sentinelDone
    if (!isDue || !watched.has(session.policy.type) || session.store === undefined) continue
    session.sentinelDone = true
    await session.store.abort(session.id)
  }
}

/** What a new process does not know any more. */
export function restart({ locks, sessions, pending }: Site, kept: 'kept' | 'lost'): void {
  locks.clear()
  if (kept === 'kept') return
  sessions.forgetAll()
  pending.captchas.clear()
  pending.secondFactors.clear()
}
