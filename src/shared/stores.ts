import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Redis } from 'ioredis'
import { createAccess } from './accounts/access.ts'
import { createAccounts } from './accounts/accounts.ts'
import type { Config } from './config.ts'
import { createGovernors } from './governor/governor.ts'
import { createLeases } from './governor/leases.ts'
import { createTurns } from './governor/turns.ts'
import { createKeys } from './keys.ts'
import { createProviderList, createProviders } from './providers/index.ts'
import type { Provider } from './providers/provider.ts'
import { openQueues } from './queues.ts'
import { createOverview } from './records/overview.ts'
import { createParts } from './records/parts.ts'
import { createScripts } from './records/scripts.ts'
import { createTickets } from './records/tickets.ts'
import { createUploads } from './records/uploads.ts'
import type { Secrets } from './secrets.ts'

type Retained = 'retainEvents' | 'retainJobsMs' | 'retainUploadsMs' | 'retainVersions'

interface Deps {
  /** Shared by everything here. The caller closes it, last of all. */
  readonly redis: Redis
  readonly config: Pick<Config, 'lockMs' | 'loginBudgetMs' | 'prefix' | Retained>
  readonly secrets: Secrets
  /** Instead of all there are, as they are: tests give some whose waits are short. */
  readonly providers?: readonly Provider[]
}

/** What both processes need: all that lives in Redis, and the providers. */
export function openStores({ redis, config, secrets, providers: providerList = createProviderList() }: Deps) {
  const keys = createKeys(config.prefix)
  const run = createScripts(redis, keys, config.retainEvents)
  const instance = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
  const leases = createLeases({ run, leaseMs: config.lockMs })
  const governors = createGovernors({ run, leases, turns: createTurns(), instance })
  const accounts = createAccounts({ redis, keys, run, secrets })
  const retainMs = Math.min(config.retainJobsMs, config.retainUploadsMs)
  const queues = openQueues({ redis, prefix: config.prefix, retainMs })

  return {
    redis,
    keys,
    /** Names this process among all. */
    instance,
    accounts,
    governors,
    queues,
    access: createAccess({ redis, keys, accounts, governors, loginBudgetMs: config.loginBudgetMs }),
    uploads: createUploads({
      redis,
      keys,
      run,
      retainVersions: config.retainVersions,
      // A crash is noticed half a lock's life after the last at the soonest.
      crashWindowMs: config.lockMs / 2,
    }),
    overview: createOverview({ redis, keys }),
    parts: createParts({ redis, keys, run }),
    tickets: createTickets({ redis, keys, run, secrets }),
    providers: createProviders(providerList),
    /** The same, one by one. */
    providerList,

    [Symbol.asyncDispose]: async (): Promise<void> => {
      await leases[Symbol.asyncDispose]()
      await queues.close()
    },
  }
}

export type Stores = ReturnType<typeof openStores>
