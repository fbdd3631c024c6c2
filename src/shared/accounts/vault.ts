import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import type { Secrets } from '../secrets.ts'

/** An account's credentials and login: encrypted, with the account's id as associated data. */
export function createVault({ redis, keys, secrets }: { redis: Redis; keys: Keys; secrets: Secrets }) {
  const open = async (id: string, field: 'credentials' | 'login'): Promise<string | undefined> => {
    const sealed = await redis.hget(keys.account(id), field)
    return sealed === null ? undefined : secrets.decrypt(sealed, id)
  }

  return {
    credentials: async (id: string): Promise<unknown> => JSON.parse((await open(id, 'credentials')) ?? '{}'),

    /** Cookie jar or tokens, as the provider wrote them down. */
    login: async (id: string): Promise<string | undefined> => open(id, 'login'),

    saveLogin: async (id: string, login: string): Promise<void> => {
      // An account that was removed meanwhile must not come back as a single field.
      if ((await redis.exists(keys.account(id))) === 0) return
      await redis.hset(keys.account(id), 'login', secrets.encrypt(login, id))
    },
  }
}
