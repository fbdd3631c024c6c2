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
    open: (account: AccountRecord, purpose: 'work' | 'login' = 'work'): AccountAccess => {
      const { login, seen } = openLogin(deps, account)
      const { id, settings, limits } = account
      const credentials = lazy((): unknown => JSON.parse(accounts.unseal(id, account.credentials) ?? '{}'))
      return {
        id,
        settings,
        credentials: async () => accounts.credentials(id),
        seen: { credentials, login: seen },
        login,
        governor: governors.calls(id, limits, purpose),
      }
    },

    /** A person logs in: the budget begins anew. */
    resetBudget: async (id: string): Promise<void> => {
      await redis.del(keys.accountLoginSpent(id))
    },
  }
}

export type Access = ReturnType<typeof createAccess>

interface OpenedLogin {
  readonly login: LoginStore
  readonly seen: () => string | undefined
}

function openLogin({ redis, keys, accounts, loginBudgetMs }: Deps, account: AccountRecord): OpenedLogin {
  const { id } = account
  const key = keys.accountLoginSpent(id)
  const budget = createLoginBudget({ redis, key, account: id, budgetMs: loginBudgetMs })
  let seen = lazy(() => accounts.unseal(id, account.login))
  const see = <T extends string | undefined>(login: T): T => {
    seen = () => login
    return login
  }
  const login: LoginStore = {
    load: async () => see(await accounts.login(id)),
    save: async (login) => {
      await accounts.saveLogin(id, see(login))
      await budget.settle()
    },
    exclusive: async (signal, work) =>
      accounts.holdLoginLock(id, { signal, work: async () => counted(accounts, id, work) }),
    spend: budget.spend,
  }
  return { login, seen: () => seen() }
}

/** Opened when first asked for, and once. */
function lazy<T>(open: () => T): () => T {
  let opened: { readonly value: T } | undefined
  return () => (opened ??= { value: open() }).value
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
