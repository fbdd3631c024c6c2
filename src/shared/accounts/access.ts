import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { NeedsPerson } from '../errors.ts'
import type { Governors } from '../governor/governor.ts'
import type { Keys } from '../keys.ts'
import type { AccountAccess, LoginStore } from '../providers/provider.ts'
import type { AccountRecord, Accounts } from './records.ts'

/** A login takes seconds; whoever dies in it blocks the others no longer than this. */
const LOGIN_LOCK_MS = 15_000
const POLL_MS = 100

interface Deps {
  redis: Redis
  keys: Keys
  accounts: Accounts
  governors: Governors
  /** One password login per this many ms. */
  loginBudgetMs: number
}

/** Hands a provider what it needs for one account, and nothing more. */
export function createAccess({ redis, keys, accounts, governors, loginBudgetMs }: Deps) {
  const exclusive = async <T>(id: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const key = keys.accountLoginLock(id)
    const token = randomUUID()
    while ((await redis.set(key, token, 'PX', LOGIN_LOCK_MS, 'NX')) === null) {
      await sleep(POLL_MS, undefined, { signal })
    }
    const renewal = setInterval(() => {
      redis.pexpire(key, LOGIN_LOCK_MS, 'XX').catch(() => undefined)
    }, LOGIN_LOCK_MS / 3)
    try {
      return await work()
    } finally {
      clearInterval(renewal)
      // Ours for certain: it is renewed three times within its life.
      if ((await redis.get(key)) === token) await redis.del(key)
    }
  }

  const loginStore = (id: string): LoginStore => ({
    load: async () => accounts.login(id),
    save: async (login) => accounts.saveLogin(id, login),
    exclusive: async (signal, work) => exclusive(id, signal, work),
    spend: async () => {
      const first = await redis.set(keys.accountLoginSpent(id), '1', 'PX', loginBudgetMs, 'NX')
      if (first !== null) return
      throw new NeedsPerson(
        'needs-login',
        `Account ${id} was logged in less than ${Math.round(loginBudgetMs / 60_000)} minutes ago and is logged out ` +
          `again; so as not to have it locked, log it in by hand: stevedore account login ${id}`,
      )
    },
  })

  return {
    /** For the account's work, or for a person's own login, which may go on where work has to wait. */
    open: (account: AccountRecord, purpose: 'work' | 'login' = 'work'): AccountAccess => ({
      id: account.id,
      settings: account.settings,
      credentials: async () => accounts.credentials(account.id),
      login: loginStore(account.id),
      governor: governors.calls(account.id, account.limits, purpose),
    }),

    /** A person logs in: the budget begins anew. */
    resetBudget: async (id: string): Promise<void> => {
      await redis.del(keys.accountLoginSpent(id))
    },
  }
}

export type Access = ReturnType<typeof createAccess>
