import type { Redis } from 'ioredis'
import { NeedsPerson } from '../errors.ts'
import { StillNeedsPerson } from '../governor/acquire.ts'
import type { Keys } from '../keys.ts'
import type { RunScript } from '../records/scripts.ts'
import type { AccountState } from './records.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
}

/** Longer than any call lasts: what does not say which login it is about may be about the one before. */
const GRACE_MS = 120_000

/** How an account is kept that can work. */
export const READY = { state: 'ready', stateReason: '', challengeMethods: '[]' }

/** A person has to act on a login, which began when this many of their acts were known. */
export class LoginNeedsPerson extends NeedsPerson {
  override name = 'LoginNeedsPerson'
  readonly loginSeq: number

  constructor(cause: NeedsPerson, loginSeq: number) {
    super(cause.state, cause.message, { cause })
    this.loginSeq = loginSeq
  }
}

interface Call {
  /** The account's `loginSeq` when that began which needs a person, unless the reason says it. */
  readonly since?: number
  /** What it may replace: `any` if a person asked, who wants to know the newest. */
  readonly over?: 'ready' | 'any'
  /** How the code may be given, if one is asked for. */
  readonly methods?: readonly string[]
}

/** Whether an account can work right now. */
export function createStates({ redis, keys, run }: Deps) {
  return {
    /** `ready` is a person's doing: what began before says nothing any more. Its uploads are looked at again. */
    setState: async (id: string, state: AccountState, { reason = '' } = {}): Promise<void> => {
      const by = state === 'ready' ? 'person' : 'work'
      await run('change_account', id, by, ...Object.entries({ ...READY, state, stateReason: reason }).flat())
    },

    /** How often a person acted: changed credentials, logged in, answered a challenge. */
    loginSeq: async (id: string): Promise<number> => Number(await redis.hget(keys.account(id), 'loginSeq')),

    /** The account waits for a person from now on, unless one has acted meanwhile. */
    callPerson: async (id: string, reason: NeedsPerson, call: Call = {}): Promise<void> => {
      // Whoever was only told so must not say it again.
      if (reason instanceof StillNeedsPerson) return
      const { over = 'ready', methods = [] } = call
      const since = reason instanceof LoginNeedsPerson ? reason.loginSeq : call.since
      const fields = [reason.state, reason.message, JSON.stringify(methods)]
      await run('call_person', id, since ?? '', over, GRACE_MS, ...fields)
    },

    /** For how long the account is parked, in ms from now, and why. */
    parked: async (id: string): Promise<{ readonly ms: number; readonly why: string } | undefined> => {
      const key = keys.accountParked(id)
      const [ms, why] = await Promise.all([redis.pttl(key), redis.get(key)])
      return ms > 0 && why !== null ? { ms, why } : undefined
    },

    activeUploads: async (id: string): Promise<number> => redis.scard(keys.accountActive(id)),
  }
}
