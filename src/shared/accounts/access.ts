import type { Redis } from 'ioredis'
import { NeedsPerson } from '../errors.ts'
import { StillNeedsPerson } from '../governor/acquire.ts'
import type { Governors } from '../governor/governor.ts'
import type { Keys } from '../keys.ts'
import type { AccountAccess, LoginStore } from '../providers/provider.ts'
import type { Accounts } from './accounts.ts'
import { createLoginBudget } from './login-budget.ts'
import type { AccountRecord } from './records.ts'
import { LoginNeedsPerson } from './states.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly accounts: Accounts
  readonly governors: Governors
  /** One password login per this many ms. */
  readonly loginBudgetMs: number
}

/** Hands a provider what it needs for one account, and nothing more. */
export function createAccess(deps: Deps) {
  const { redis, keys, accounts, governors } = deps
  return {
    /** For the account's work, or for a person's own login, which may go on where work has to wait. */
    open: (account: AccountRecord, purpose: 'work' | 'login' = 'work'): AccountAccess => ({
      id: account.id,
      settings: account.settings,
      credentials: async () => accounts.credentials(account.id),
      login: loginStore(deps, account.id),
      governor: governors.calls(account.id, account.limits, purpose),
    }),

    /** A person logs in: the budget begins anew. */
    resetBudget: async (id: string): Promise<void> => {
      await redis.del(keys.accountLoginSpent(id))
    },
  }
}

export type Access = ReturnType<typeof createAccess>

const loginStore = ({ redis, keys, accounts, loginBudgetMs }: Deps, id: string): LoginStore => {
  const key = keys.accountLoginSpent(id)
  const budget = createLoginBudget({ redis, key, account: id, budgetMs: loginBudgetMs })
  return {
    load: async () => accounts.login(id),
    save: async (login) => {
      await accounts.saveLogin(id, login)
      await budget.settle()
    },
    exclusive: async (signal, work) =>
      accounts.holdLoginLock(id, { signal, work: async () => counted(accounts, id, work) }),
    spend: budget.spend,
  }
}

/** Says on whose credentials a person is called: they may be replaced by the time that is heard. */
async function counted<T>(accounts: Accounts, id: string, work: () => Promise<T>): Promise<T> {
  // Before the work reads them: told too early is asked again, told too late undoes what a person did.
  const seq = await accounts.loginSeq(id)
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof NeedsPerson) || error instanceof StillNeedsPerson) throw error
    throw new LoginNeedsPerson(error, seq)
  }
}
