import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AccountParked, NeedsPerson, TryLater, Unreachable } from '../errors.ts'
import type { Governor, Limits } from '../providers/provider.ts'
import type { RunScript } from '../records/scripts.ts'
import type { LeaseKind, Leases } from './leases.ts'
import type { Turns } from './turns.ts'

/** Longer waits are not spent holding a job: it goes back to the queue as `TryLater`. */
const LONGEST_WAIT_MS = 1000
/** Calls are short: a step that already did half its work rather waits for its turn. */
const LONGEST_CALL_WAIT_MS = 30_000

interface Deps {
  run: RunScript
  leases: Leases
  turns: Turns
  /** Names this process among all. */
  instance: string
}

const acquired = z.tuple([z.enum(['ok', 'busy', 'parked', 'person', 'circuit'])]).rest(z.unknown())

interface Wanted {
  readonly account: string
  readonly kind: LeaseKind
  readonly member: string
  readonly most: number
  readonly spacingMs: number
  readonly longestMs: number
}

/** An account's limits, across all processes: things at once, calls per second, parking, circuits. */
export function createGovernors({ run, leases, turns, instance }: Deps) {
  let calls = 0

  const acquire = async (wanted: Wanted, signal: AbortSignal): Promise<void> => {
    const { account, kind, member, most, spacingMs } = wanted
    const giveUpAt = performance.now() + wanted.longestMs
    for (;;) {
      const answer = acquired.parse(
        await run('acquire', account, kind, member, most, spacingMs, leases.leaseMs),
      )
      if (answer[0] === 'ok') return waitMs(Number(answer[1]), signal)
      refuse(answer)
      const pause = answer[0] === 'circuit' ? Number(answer[1]) : 15 + Math.random() * 30
      if (performance.now() + pause > giveUpAt) {
        throw new TryLater(`account ${account}: ${reasonOf[answer[0]]}`, Math.max(pause, 300) * jitter())
      }
      await waitMs(pause, signal)
    }
  }

  const settle = async (lease: { account: string; kind: LeaseKind; member: string }, error?: unknown) => {
    const outcome = error === undefined ? 'ok' : error instanceof Unreachable ? 'unreachable' : 'unknown'
    const jitter = Math.floor(Math.random() * 1000)
    const pause = Number(await run('settle', lease.account, lease.kind, lease.member, outcome, jitter))
    if (error instanceof AccountParked) await run('park', lease.account, ceil(error.delayMs), error.message)
    return pause
  }

  /** Runs `work` holding a lease. A circuit's pause comes out as `TryLater` with the failure as its cause. */
  const hold = async <T>(wanted: Wanted, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const giveBack = await turns.take(`${wanted.account}/${wanted.kind}`, wanted.most, signal)
    const lease = { account: wanted.account, kind: wanted.kind, member: wanted.member }
    try {
      await acquire(wanted, signal)
      leases.hold(lease)
      const result = await work()
      await settle(lease)
      return result
    } catch (error) {
      await settle(lease, error).catch(() => undefined)
      throw error
    } finally {
      leases.drop(lease)
      giveBack()
    }
  }

  return {
    /** The governor of an account's API calls, as providers know it. */
    calls: (account: string, limits: Limits, purpose: 'work' | 'login'): Governor => ({
      call: async (signal, work) => {
        calls += 1
        const member = `${purpose === 'login' ? 'login:' : ''}${instance}:${calls}`
        const { callsAtOnce: most, callSpacingMs: spacingMs } = limits
        const wanted = { account, member, most, spacingMs, longestMs: LONGEST_CALL_WAIT_MS }
        return hold({ ...wanted, kind: 'calls' }, signal, () => work(signal))
      },
    }),

    /** Runs one part within the account's limit. The lease belongs to the job: a re-run takes over its own. */
    part: async <T>(
      { account, limits, jobId }: { account: string; limits: Limits; jobId: string },
      signal: AbortSignal,
      work: () => Promise<T>,
    ): Promise<T> => {
      const wanted = { account, member: jobId, most: limits.partsAtOnce, longestMs: LONGEST_WAIT_MS }
      return hold({ ...wanted, kind: 'parts', spacingMs: 0 }, signal, work)
    },

    /** Parks the account. */
    park: async (account: string, ms: number, why: string): Promise<void> => {
      await run('park', account, ceil(ms), why)
    },
  }
}

export type Governors = ReturnType<typeof createGovernors>

const reasonOf = {
  busy: 'others of this account come first',
  circuit: 'the other side was not reachable',
}

function refuse(answer: z.infer<typeof acquired>): asserts answer is ['busy' | 'circuit', ...unknown[]] {
  if (answer[0] === 'parked') throw new AccountParked(String(answer[2]), Number(answer[1]))
  if (answer[0] !== 'person') return
  const state = answer[1] === 'needs-2fa' ? 'needs-2fa' : 'needs-login'
  throw new NeedsPerson(state, `The account waits for a person (${state})`)
}

const ceil = (ms: number): number => Math.max(1, Math.ceil(ms))
const jitter = (): number => 1 + Math.random() / 2

async function waitMs(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal })
}
