import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { Limits } from '../providers/provider.ts'
import type { RunScript } from '../records/scripts.ts'
import type { Secrets } from '../secrets.ts'
import { parseAccount, settingsFields } from './records.ts'
import type { AccountRecord } from './records.ts'
import { createLoginLock } from './login-lock.ts'
import { createStates, READY } from './states.ts'
import { createVault } from './vault.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
  readonly secrets: Secrets
}

interface NewAccount {
  readonly id: string
  readonly provider: string
  readonly settings: unknown
  readonly credentials: unknown
  readonly limits: Limits
}

/** The accounts in Redis. */
export const createAccounts = (deps: Deps) => ({
  ...createRegistry(deps),
  ...createStates(deps),
  ...createLoginLock(deps),
  ...createVault(deps),
})

export type Accounts = ReturnType<typeof createAccounts>

/** Which accounts there are, and their settings. */
function createRegistry({ redis, keys, run, secrets }: Deps) {
  const seal = (id: string, credentials: unknown): string => secrets.encrypt(JSON.stringify(credentials), id)

  return {
    /** Adds an account; `false` when its id is taken. */
    create: async (account: NewAccount): Promise<boolean> => {
      const fields = {
        provider: account.provider,
        ...settingsFields(account),
        credentials: seal(account.id, account.credentials),
        state: 'ready',
      }
      return (await run('create_account', account.id, ...Object.entries(fields).flat())) === 1
    },

    read: async (id: string): Promise<AccountRecord | undefined> =>
      parseAccount(await redis.hgetall(keys.account(id))),

    list: async (): Promise<string[]> => redis.zrange(keys.accounts, '0', '-1'),

    /** Also of a record that can not be read. */
    isThere: async (id: string): Promise<boolean> => (await redis.exists(keys.account(id))) === 1,

    /**
     * Changes settings and limits; `false` when the account is gone. New credentials are a person's doing: it may
     * try them at once, whatever became of the old ones.
     */
    update: async (
      id: string,
      change: { readonly settings: unknown; readonly limits: Limits; readonly credentials?: unknown },
    ): Promise<boolean> => {
      const isNew = change.credentials !== undefined
      const sealed = isNew && { ...READY, credentials: seal(id, change.credentials) }
      const fields = Object.entries({ ...settingsFields(change), ...sealed }).flat()
      return (await run('change_account', id, isNew ? 'secrets' : 'work', ...fields)) !== null
    },

    /** Forgets the account, and answers 0; or answers how many of its uploads have not ended. */
    remove: async (id: string): Promise<number> => z.number().parse(await run('remove_account', id)),
  }
}
