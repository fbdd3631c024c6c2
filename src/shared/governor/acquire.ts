import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AccountParked, NeedsPerson, TryLater } from '../errors.ts'
import type { RunScript } from '../records/scripts.ts'
import type { LeaseKind } from './leases.ts'

export interface Wanted {
  readonly account: string
  readonly kind: LeaseKind
  readonly member: string
  /** How many may be under way at once. */
  readonly most: number
  readonly spacingMs: number
  /** How long to wait in this process before it is put off. */
  readonly longestMs: number
}

const answers = z.tuple([z.enum(['ok', 'busy', 'parked', 'person', 'circuit'])]).rest(z.unknown())

const reasons = {
  busy: 'others of this account come first',
  circuit: 'the other side could not be reached',
}

/**
 * Waits until the account lets one more begin. Throws `TryLater` when that takes too long, `AccountParked`
 * and `NeedsPerson` at once.
 */
export async function acquire(
  run: RunScript,
  leaseMs: number,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const { account, kind, member, most, spacingMs } = wanted
  const giveUpAt = performance.now() + wanted.longestMs
  for (;;) {
    const [kindOf, detail, why] = answers.parse(
      await run('acquire', account, kind, member, most, spacingMs, leaseMs),
    )
    if (kindOf === 'parked') throw new AccountParked(String(why), Number(detail))
    if (kindOf === 'person') throw needsPerson(detail)
    if (kindOf === 'ok') return waitMs(Number(detail), signal)

    // Everybody in this process stands in line already: this only competes with other processes.
    const pause = kindOf === 'circuit' ? Number(detail) : 15 + Math.random() * 30
    if (performance.now() + pause > giveUpAt) {
      const later = Math.max(pause, 300) * (1 + Math.random() / 2)
      throw new TryLater(`account ${account}: ${reasons[kindOf]}`, later)
    }
    await waitMs(pause, signal)
  }
}

function needsPerson(state: unknown): NeedsPerson {
  const known = state === 'needs-2fa' ? 'needs-2fa' : 'needs-login'
  return new NeedsPerson(known, `The account waits for a person (${known})`)
}

async function waitMs(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal })
}
