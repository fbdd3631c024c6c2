import { createCloudreve, type CloudreveOptions } from '#shared/providers/cloudreve/index.ts'
import type { AccountAccess, Provider } from '#shared/providers/provider.ts'
import type { TransportName } from '#shared/providers/cloudreve/session.ts'
import { openStores } from '../fakes/cloudreve/stores/index.ts'
import type { OpenStores } from '../fakes/cloudreve/stores/host.ts'
import {
  startFakeCloudreve,
  type FakeCloudreve,
  type FakeCloudreveOptions,
  type Operation,
  type PolicySpec,
} from '../fakes/cloudreve/server.ts'
import { drive, memoryGovernor, memoryLogin, sourceOf, type Driven } from './support.ts'

export type Kind = Exclude<TransportName, 'empty'>

/** Bytes; a multiple of the range unit that the fake OneDrive is given. */
export const CHUNK_SIZE = 4096
const RANGE_UNIT = 1024

const user = { email: 'ann@home.invalid', password: 'pass:wörd canary' }

/** What a kind is like as far as tests differ by it. */
export interface Traits {
  readonly part: Operation
  /** Requests after the last chunk, in order: to the store, to the site. */
  readonly after: readonly Operation[]
  /** The whole file in one chunk, whatever the policy says. */
  readonly single?: true
  readonly inOrder?: true
  /** ETags are needed, or not looked for. */
  readonly etag?: 'needed' | 'compared'
  /** Through the site itself, as the account. */
  readonly throughSite?: true
}

export const traits: Readonly<Record<Kind, Traits>> = {
  local: { part: 'sendChunk', after: [], throughSite: true },
  relay: { part: 'sendChunk', after: [], single: true, inOrder: true, throughSite: true },
  remote: { part: 'remote.chunk', after: [] },
  s3: { part: 's3.putPart', after: ['s3.complete', 'callback'], etag: 'needed' },
  ks3: { part: 'ks3.putPart', after: ['ks3.complete', 'callback'], etag: 'needed' },
  cos: { part: 'cos.putPart', after: ['cos.complete', 'callback'], etag: 'needed' },
  oss: { part: 'oss.putPart', after: ['oss.complete'], etag: 'compared' },
  obs: { part: 'obs.putPart', after: ['obs.complete'], etag: 'needed' },
  qiniu: { part: 'qiniu.putPart', after: ['qiniu.complete'] },
  onedrive: { part: 'onedrive.putRange', after: ['callback'], inOrder: true },
  upyun: { part: 'upyun.post', after: [], single: true, inOrder: true },
}

export interface TransportStage extends AsyncDisposable {
  readonly fake: FakeCloudreve
  readonly provider: Provider
  readonly account: AccountAccess
  readonly traits: Traits
  /** Begins an upload of these bytes to a place of its own. */
  readonly start: (bytes: Buffer, signal?: AbortSignal) => Driven
  /** As if the time was over for which an answer parked the account. */
  readonly unpark: () => void
  /** How many requests of this operation came. */
  readonly count: (operation: Operation) => number
  /** Whatever no error may show: tokens, and every path and query that was signed or is a secret. */
  readonly secrets: () => readonly string[]
}

export interface TransportOpening {
  readonly policy?: Partial<PolicySpec>
  readonly fake?: FakeCloudreveOptions
  /** Of the account. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly stallMs?: number
  readonly timing?: CloudreveOptions['timing']
  readonly now?: () => number
  /** Password logins before a person is asked. */
  readonly loginBudget?: number
}

const policyOf = (kind: Kind): PolicySpec => {
  if (kind === 'relay') return { type: 's3', relay: true }
  return { type: kind, chunkSize: kind === 'upyun' ? 0 : CHUNK_SIZE, chunkConcurrency: 3 }
}

const storesOf = (kind: Kind): OpenStores | undefined => {
  if (kind === 'local') return undefined
  return (host) => openStores(host, [kind === 'relay' ? 's3' : kind], { rangeUnit: RANGE_UNIT })
}

/** The Cloudreve provider against a fake site with one policy of this kind, with waits of milliseconds. */
export async function openTransport(
  kind: Kind,
  opening: TransportOpening = {},
  stores: OpenStores | undefined = storesOf(kind),
): Promise<TransportStage> {
  const fake = await startFakeCloudreve({
    users: [user],
    policies: [{ ...policyOf(kind), ...opening.policy }],
    ...(stores && { stores }),
    ...opening.fake,
  })
  const { stallMs, timing, now, loginBudget: budget } = opening
  const provider = createCloudreve({
    timing: { retryMs: 20, settleMs: 20, ...timing },
    ...(stallMs !== undefined && { http: { stallMs } }),
    ...(now && { now }),
  })
  const login = memoryLogin(budget === undefined ? {} : { budget })
  const governor = memoryGovernor()
  const account: AccountAccess = {
    id: 'ann',
    settings: provider.settings.parse({ baseUrl: fake.baseUrl, ...opening.settings }),
    credentials: async () => user,
    seen: { credentials: () => user, login: login.stored },
    login,
    governor,
  }
  let names = 0
  return {
    fake,
    provider,
    account,
    traits: traits[kind],
    unpark: governor.unpark,
    start: (bytes, signal) => {
      names += 1
      const request = { destination: { uri: `cloudreve://my/some folder/file ${names}.bin` } }
      return drive({ provider, account, request, source: sourceOf(bytes), ...(signal && { signal }) })
    },
    count: (wanted) => fake.ledger.filter(({ operation }) => operation === wanted).length,
    secrets: () => secretsOf(fake, login.stored()),
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}

/** Tokens, and of stores and callbacks all that follows the origin: paths hold session ids and secrets too. */
function secretsOf(fake: FakeCloudreve, login = ''): string[] {
  const requests = fake.ledger.filter(({ operation }) => operation === 'callback' || operation.includes('.'))
  const urls = requests.flatMap(({ rawUrl }) => [rawUrl, rawUrl.split('?')[1] ?? ''])
  const headers = fake.ledger.flatMap(({ headers: { authorization = '' } }) => [
    authorization,
    authorization.replace(/^\w+ /, ''),
  ])
  const tokens = [...login.matchAll(/eyJ[\w.-]+/g)].map(([token]) => token)
  return [user.password, ...tokens, ...headers, ...urls].filter((secret) => secret.length > 12)
}
