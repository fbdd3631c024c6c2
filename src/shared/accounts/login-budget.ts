import type { Redis } from 'ioredis'
import { NeedsPerson, TryLater } from '../errors.ts'

interface Deps {
  readonly redis: Redis
  /** Where it is kept what was spent, as long as that counts. */
  readonly key: string
  readonly account: string
  readonly budgetMs: number
}

/** How often the first pause after a login without an outcome goes into the budget's time. */
const FIRST_PAUSES = 30
const WORKED = 'worked'

/**
 * One password login per `budgetMs`. One that never had an outcome, as the other side was in trouble, is tried
 * again after a pause that doubles: nobody was logged out, so nobody is called. Asked under the login lock.
 */
export function createLoginBudget({ redis, key, account, budgetMs }: Deps) {
  const lasts = Math.max(1, budgetMs)
  const begin = async (tries: number): Promise<void> => void (await redis.set(key, tries, 'PX', lasts))

  return {
    /** Takes a login. Throws `TryLater` or `NeedsPerson` when there is none to take. */
    spend: async (): Promise<void> => {
      const [spent, left] = await Promise.all([redis.get(key), redis.pttl(key)])
      if (spent === null) return begin(1)
      if (spent === WORKED) throw usedUp(account, budgetMs)
      const tries = Number(spent)
      const wait = (budgetMs / FIRST_PAUSES) * 2 ** (tries - 1) - (budgetMs - left)
      if (wait <= 0) return begin(tries + 1)
      throw new TryLater(`account ${account}: its last login had no answer; the next is in a while`, wait)
    },

    /** The login that was taken had an outcome. */
    settle: async (): Promise<void> => void (await redis.set(key, WORKED, 'KEEPTTL', 'XX')),
  }
}

const usedUp = (account: string, budgetMs: number): NeedsPerson =>
  new NeedsPerson(
    'needs-login',
    `Account ${account} was logged in less than ${Math.round(budgetMs / 60_000)} minutes ago and is logged out ` +
      `again; so as not to have it locked, log it in by hand: stevedore account login ${account}`,
  )
