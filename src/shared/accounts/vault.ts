import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import type { RunScript } from '../records/scripts.ts'
import type { Secrets } from '../secrets.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
  readonly secrets: Secrets
}

/** An account's credentials and login: encrypted, with the account's id as associated data. */
export function createVault({ redis, keys, run, secrets }: Deps) {
  const unseal = (id: string, sealed: string | null | undefined): string | undefined =>
    sealed === null || sealed === undefined ? undefined : secrets.decrypt(sealed, id)
  const open = async (id: string, field: 'credentials' | 'login'): Promise<string | undefined> =>
    unseal(id, await redis.hget(keys.account(id), field))

  return {
    /** What a field of a record that was read says. */
    unseal,

    credentials: async (id: string): Promise<unknown> => JSON.parse((await open(id, 'credentials')) ?? '{}'),

    /** Cookie jar or tokens, as the provider wrote them down. */
    login: async (id: string): Promise<string | undefined> => open(id, 'login'),

    /** Nothing is kept of an account that was removed meanwhile. */
    saveLogin: async (id: string, login: string): Promise<void> =>
      void (await run('change_account', id, 'work', 'login', secrets.encrypt(login, id))),
  }
}
