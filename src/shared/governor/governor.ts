import { setTimeout as sleep } from 'node:timers/promises'
import { AccountParked, Unreachable } from '../errors.ts'
import type { Governor, Limits } from '../providers/provider.ts'
import type { RunScript } from '../records/scripts.ts'
import { acquire, comeBack, StillParked } from './acquire.ts'
import type { Wanted } from './acquire.ts'
import type { Leases } from './leases.ts'
import type { Turns } from './turns.ts'

/** Longer waits are not spent holding a job: it goes back to the queue as `TryLater`. */
const LONGEST_PART_WAIT_MS = 500
/** Calls are short: a step that already did half its work rather waits for its turn. */
const LONGEST_CALL_WAIT_MS = 30_000
/** Whatever the other side says: after a day it is worth one call to ask again. */
const LONGEST_PARK_MS = 24 * 3_600_000
const UNREADABLE_PARK_MS = 60_000

interface Deps {
  readonly run: RunScript
  readonly leases: Leases
  readonly turns: Turns
  /** Names this process among all. */
  readonly instance: string
}

/** An account's limits, across all processes: things at once, calls per second, parking, circuits. */
export function createGovernors(deps: Deps) {
  let asked = 0
  return {
    /** The governor of an account's API calls, as providers know it. */
    calls: (account: string, limits: Limits, purpose: 'work' | 'login'): Governor => ({
      call: async (signal, work) => {
        asked += 1
        const member = `${purpose === 'login' ? 'login:' : ''}${deps.instance}:${asked}`
        const { callsAtOnce: most, callSpacingMs: spacingMs } = limits
        const wanted = { account, member, most, spacingMs, longestMs: LONGEST_CALL_WAIT_MS }
        return hold(deps, { ...wanted, kind: 'calls' }, { signal, work: () => work(signal) })
      },
    }),

    /**
     * Runs one part within the account's limit. The lease belongs to the job: a re-run takes it over, and the
     * run before, should it still live, can not give away what is not its own any more.
     */
    part: async <T>(
      { account, limits, jobId }: { account: string; limits: Limits; jobId: string },
      signal: AbortSignal,
      work: () => Promise<T>,
    ): Promise<T> => {
      asked += 1
      const member = `${jobId}@${deps.instance}:${asked}`
      const wanted = { account, member, most: limits.partsAtOnce, longestMs: LONGEST_PART_WAIT_MS }
      return hold(deps, { ...wanted, kind: 'parts', spacingMs: 0 }, { signal, work })
    },
  }
}

export type Governors = ReturnType<typeof createGovernors>

interface Work<T> {
  readonly signal: AbortSignal
  readonly work: () => Promise<T>
}

/** Does the work holding a lease, and tells the account's circuit how it went. */
async function hold<T>(deps: Deps, wanted: Wanted, { signal, work }: Work<T>): Promise<T> {
  const { run, leases } = deps
  const { account, kind, member } = wanted
  const giveBack = await takeTurn(deps, wanted, signal)
  try {
    const waitMs = await acquire(run, leases, wanted, signal)
    const lease = { account, kind, member }
    leases.hold(lease)
    try {
      if (waitMs > 0) await sleep(waitMs, undefined, { signal })
      const result = await work()
      leases.giveBack(lease)
      return result
    } catch (error) {
      await settle(run, wanted, error)
      throw error
    } finally {
      leases.drop(lease)
    }
  } finally {
    giveBack()
  }
}

/** Stands in line no longer than allowed: the job's place may be what another account waits for. */
async function takeTurn({ turns }: Deps, wanted: Wanted, signal: AbortSignal): Promise<() => void> {
  const { account, kind, most, longestMs } = wanted
  const line = `${account}/${kind}`
  signal.throwIfAborted()
  const atOnce = turns.takeNow(line, most)
  if (atOnce !== undefined) return atOnce
  const patience = AbortSignal.timeout(longestMs)
  try {
    return await turns.take(line, most, AbortSignal.any([signal, patience]))
  } catch (error) {
    throw patience.aborted && !signal.aborted ? comeBack(account, 'busy') : error
  }
}

/** Gives back what failed, at once, and says how. */
async function settle(run: RunScript, { account, kind, member }: Wanted, error: unknown): Promise<void> {
  // Parked first: whoever waits for this lease must not get it for one more call. Whoever was only told of the
  // pause must not order it again, or it would never end.
  if (error instanceof AccountParked && !(error instanceof StillParked)) {
    await run('park', account, parkMs(error.delayMs), error.message)
  }
  const jitter = Math.floor(Math.random() * 1000)
  const outcome = error instanceof Unreachable ? 'unreachable' : 'unknown'
  await run('settle', account, kind, outcome, jitter, member)
}

/** What Redis takes for a time, whatever was read from an answer. */
const parkMs = (ms: number): number =>
  Number.isNaN(ms) ? UNREADABLE_PARK_MS : Math.min(Math.max(1, Math.ceil(ms)), LONGEST_PARK_MS)
