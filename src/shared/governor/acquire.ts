import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { AccountParked, NeedsPerson, TryLater } from '../errors.ts'
import type { RunScript } from '../records/scripts.ts'
import type { LeaseKind, Leases } from './leases.ts'

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
 * Waits until the account lets one more begin, and answers for how many ms more that one, which has its lease
 * now, must wait. Throws `TryLater` when it takes too long, `AccountParked` and `NeedsPerson` at once.
 */
export async function acquire(
  run: RunScript,
  leases: Leases,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<number> {
  const { account, kind, member, most, spacingMs } = wanted
  const giveUpAt = performance.now() + wanted.longestMs
  for (;;) {
    const returned = leases.takeReturned(wanted)
    const asked = run('acquire', account, kind, member, most, spacingMs, leases.leaseMs, ...returned)
    const [kindOf, detail, why] = answers.parse(
      await asked.catch((error: unknown) => {
        for (const each of returned) leases.giveBack({ account, kind, member: each })
        throw error
      }),
    )
    if (kindOf === 'parked') throw new StillParked(String(why), Number(detail))
    if (kindOf === 'person') throw needsPerson(detail)
    if (kindOf === 'ok') return Number(detail)

    // Everybody in this process stands in line already: this only competes with other processes.
    const pause = kindOf === 'circuit' ? Number(detail) : 15 + Math.random() * 30
    if (performance.now() + pause > giveUpAt) throw comeBack(account, kindOf, pause)
    await sleep(pause, undefined, { signal })
  }
}

/** What an account's work is told that waited long enough in this process. */
export const comeBack = (account: string, reason: keyof typeof reasons, pause = 0): TryLater =>
  new TryLater(`account ${account}: ${reasons[reason]}`, Math.max(pause, 300) * (1 + Math.random() / 2))

/** The account is known to be parked; nothing was tried. */
export class StillParked extends AccountParked {
  override name = 'StillParked'
}

/** The account is known to wait for a person; nothing was tried. */
export class StillNeedsPerson extends NeedsPerson {
  override name = 'StillNeedsPerson'
}

function needsPerson(state: unknown): StillNeedsPerson {
  const known = state === 'needs-2fa' ? 'needs-2fa' : 'needs-login'
  return new StillNeedsPerson(known, `The account waits for a person (${known})`)
}
