import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { Limits } from '../providers/provider.ts'
import type { RunScript } from '../records/scripts.ts'
import type { Secrets } from '../secrets.ts'
import { parseAccount, settingsFields } from './records.ts'
import type { AccountRecord, AccountState } from './records.ts'
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

    /** Changes settings, limits and, when given, credentials. */
    update: async (
      id: string,
      change: { readonly settings: unknown; readonly limits: Limits; readonly credentials?: unknown },
    ): Promise<void> => {
      const sealed = change.credentials !== undefined && { credentials: seal(id, change.credentials) }
      await redis.hset(keys.account(id), { ...settingsFields(change), ...sealed })
    },

    /** Forgets the account, and answers 0; or answers how many of its uploads have not ended. */
    remove: async (id: string): Promise<number> => z.number().parse(await run('remove_account', id)),
  }
}

/** Whether an account can work right now. */
function createStates({ redis, keys }: Deps) {
  return {
    /** Its waiting uploads are looked at again. */
    setState: async (
      id: string,
      state: AccountState,
      { reason = '', methods = [] }: { reason?: string; methods?: readonly string[] } = {},
    ): Promise<void> => {
      if ((await redis.exists(keys.account(id))) === 0) return
      const challengeMethods = JSON.stringify(methods)
      await redis.hset(keys.account(id), { state, stateReason: reason, challengeMethods })
      await redis.publish(keys.wake, id)
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
