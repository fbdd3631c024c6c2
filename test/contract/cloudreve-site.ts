import { createHttp } from '#shared/http.ts'
import type { ApiCall } from '#shared/providers/cloudreve/site/api.ts'
import { createCall } from '#shared/providers/cloudreve/site/call.ts'
import { defaultTiming, type Timing } from '#shared/providers/cloudreve/deps.ts'
import { createCloudreve } from '#shared/providers/cloudreve/index.ts'
import { createLogins } from '#shared/providers/cloudreve/login/login.ts'
import { settings } from '#shared/providers/cloudreve/request.ts'
import { createWire } from '#shared/providers/cloudreve/site/wire.ts'
import type { AccountAccess } from '#shared/providers/provider.ts'
import type { FakeCloudreveOptions } from '../fakes/cloudreve/options.ts'
import { startFakeCloudreve, type FakeCloudreve, type Operation } from '../fakes/cloudreve/server.ts'
import { memoryGovernor, memoryLogin, never, type MemoryGovernor, type MemoryLogin } from './support.ts'

export const ann = { email: 'ann@home.test', password: 'pass:wörd/%+ canary' }
export const TOTP_SECRET = 'JBSWY3DPEHPK3PXP'

export interface SiteOpening {
  readonly fake?: FakeCloudreveOptions
  readonly credentials?: Readonly<Record<string, unknown>>
  readonly timing?: Partial<Timing>
  readonly now?: () => number
  readonly budget?: number
}

export interface Site extends AsyncDisposable {
  readonly fake: FakeCloudreve
  readonly provider: ReturnType<typeof createCloudreve>
  readonly account: AccountAccess
  readonly login: MemoryLogin
  readonly governor: MemoryGovernor
  /** The same account with other credentials, or as another process has it. */
  readonly accountWith: (credentials: Readonly<Record<string, unknown>>, login?: MemoryLogin) => AccountAccess
  /** Calls as the account, by a process of its own. */
  readonly apiOf: (account?: AccountAccess) => ApiCall
  readonly countOf: (operation: Operation) => number
}

/** The Cloudreve provider's talk with a site, without any upload around it. */
export async function openSite(opening: SiteOpening = {}): Promise<Site> {
  const fake = await startFakeCloudreve({ users: [ann], ...opening.fake })
  const timing = { ...defaultTiming, retryMs: 10, settleMs: 0, codeMs: 20, ...opening.timing }
  const now = opening.now ?? Date.now
  const provider = createCloudreve({ timing, now })
  const http = createHttp()
  const governor = memoryGovernor()
  const login = memoryLogin({ ...(opening.budget !== undefined && { budget: opening.budget }) })
  const accountWith: Site['accountWith'] = (change, store = login) => {
    const credentials = { ...ann, ...opening.credentials, ...change }
    return {
      id: 'ann',
      settings: settings.parse({ baseUrl: fake.baseUrl }),
      credentials: async () => credentials,
      seen: { credentials: () => credentials, login: store.stored },
      login: store,
      governor,
    }
  }
  const account = accountWith({})
  return {
    fake,
    provider,
    account,
    login,
    governor,
    accountWith,
    apiOf: (as = account) => {
      const wire = createWire({ http, timing, now })
      const logins = createLogins({ wire, now, codeMs: timing.codeMs })
      return createCall({ wire, logins, timing }, as, never)
    },
    countOf: (wanted) => fake.ledger.filter(({ operation }) => operation === wanted).length,
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]()
      await http[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}
