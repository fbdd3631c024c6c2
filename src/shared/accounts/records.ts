import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Keys } from '../keys.ts'
import type { Limits } from '../providers/provider.ts'
import type { RunScript } from '../records/scripts.ts'
import type { Secrets } from '../secrets.ts'

const limits = z.object({
  maxActiveUploads: z.number().int().min(1).max(1000),
  partsAtOnce: z.number().int().min(1).max(64),
  callsAtOnce: z.number().int().min(1).max(64),
  callSpacingMs: z.number().int().min(0).max(60_000),
})

/** Limits of an account as a request may set them; what is left out is the provider's default. */
export const limitsRequest = limits.partial().strict()

export const accountStates = ['ready', 'needs-login', 'needs-2fa'] as const
export type AccountState = (typeof accountStates)[number]

const json = z.string().transform((text): unknown => JSON.parse(text))

const accountRecord = z.object({
  id: z.string(),
  provider: z.string(),
  settings: json,
  limits: json.pipe(limits),
  state: z.enum(accountStates),
  stateReason: z.string().default(''),
  challengeMethods: json.pipe(z.array(z.string())).default([]),
  createdAt: z.coerce.number(),
})

export type AccountRecord = z.infer<typeof accountRecord>

interface Deps {
  redis: Redis
  keys: Keys
  run: RunScript
  secrets: Secrets
}

/** Accounts in Redis. Credentials and logins are encrypted, with the account's id as associated data. */
export function createAccounts({ redis, keys, run, secrets }: Deps) {
  const write = async (id: string, fields: Record<string, string>): Promise<void> => {
    await redis.hset(keys.account(id), fields)
  }

  return {
    /** Adds an account; `false` when its id is taken. */
    create: async (account: {
      readonly id: string
      readonly provider: string
      readonly settings: unknown
      readonly credentials: unknown
      readonly limits: Limits
    }): Promise<boolean> => {
      const fields = {
        provider: account.provider,
        ...settingsFields(account),
        credentials: secrets.encrypt(JSON.stringify(account.credentials), account.id),
        state: 'ready',
      }
      return (await run('create_account', account.id, ...Object.entries(fields).flat())) === 1
    },

    read: async (id: string): Promise<AccountRecord | undefined> => {
      const fields = await redis.hgetall(keys.account(id))
      return fields['createdAt'] === undefined ? undefined : accountRecord.parse(fields)
    },

    list: async (): Promise<string[]> => redis.zrange(keys.accounts, '0', '-1'),

    /** Changes settings, limits and, when given, credentials. */
    update: async (
      id: string,
      change: { readonly settings: unknown; readonly limits: Limits; readonly credentials?: unknown },
    ): Promise<void> => {
      const sealed =
        change.credentials === undefined
          ? {}
          : { credentials: secrets.encrypt(JSON.stringify(change.credentials), id) }
      await write(id, { ...settingsFields(change), ...sealed })
    },

    /** Forgets the account, and answers 0; or answers how many of its uploads have not ended. */
    remove: async (id: string): Promise<number> => z.number().parse(await run('remove_account', id)),

    credentials: async (id: string): Promise<unknown> => {
      const sealed = await redis.hget(keys.account(id), 'credentials')
      return sealed === null ? {} : JSON.parse(secrets.decrypt(sealed, id))
    },

    login: async (id: string): Promise<string | undefined> => {
      const sealed = await redis.hget(keys.account(id), 'login')
      return sealed === null ? undefined : secrets.decrypt(sealed, id)
    },

    saveLogin: async (id: string, login: string): Promise<void> => {
      await write(id, { login: secrets.encrypt(login, id) })
    },

    /** Says whether the account can work; its waiting uploads are looked at again. */
    setState: async (
      id: string,
      state: AccountState,
      { reason = '', methods = [] }: { reason?: string; methods?: readonly string[] } = {},
    ): Promise<void> => {
      if ((await redis.exists(keys.account(id))) === 0) return
      await write(id, { state, stateReason: reason, challengeMethods: JSON.stringify(methods) })
      await redis.publish(keys.wake, id)
    },

    /** Until when the account is parked, in ms from now, and why. */
    parked: async (id: string): Promise<{ readonly ms: number; readonly why: string } | undefined> => {
      const [ms, why] = await Promise.all([
        redis.pttl(keys.accountParked(id)),
        redis.get(keys.accountParked(id)),
      ])
      return ms > 0 && why !== null ? { ms, why } : undefined
    },

    activeUploads: async (id: string): Promise<number> => redis.scard(keys.accountActive(id)),
  }
}

export type Accounts = ReturnType<typeof createAccounts>

const settingsFields = ({ settings, limits }: { settings: unknown; limits: Limits }) => ({
  settings: JSON.stringify(settings),
  limits: JSON.stringify(limits),
  // Flat as well: dispatch reads it in a script.
  maxActiveUploads: String(limits.maxActiveUploads),
})
