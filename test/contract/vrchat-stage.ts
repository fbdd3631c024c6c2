import { createVrchat, type VrchatOptions } from '#shared/providers/vrchat/index.ts'
import type { AccountAccess, Version } from '#shared/providers/provider.ts'
import { startFakeVrchat } from '../fakes/vrchat/server.ts'
import type { FakeVrchat, FakeVrchatOptions, FaultRule } from '../fakes/vrchat/server.ts'
import type { FaultKind, FaultStep, Opening, Stage } from './provider.ts'
import { memoryGovernor, memoryLogin, type MemoryGovernor, type MemoryLogin } from './support.ts'

export const PART_SIZE = 4096
const TOTP_SECRET = 'JBSWY3DPEHPK3PXP'

const user = { username: 'ann@home', password: 'pass:wörd/%+ canary' }

export interface VrchatStage extends Stage {
  readonly fake: FakeVrchat
  readonly login: MemoryLogin
  readonly governor: MemoryGovernor
  /** The same account as another process has it, with other settings or credentials. */
  readonly accountWith: (change: {
    readonly settings?: Readonly<Record<string, unknown>>
    readonly credentials?: Readonly<Record<string, unknown>>
    readonly login?: MemoryLogin
  }) => AccountAccess
}

export interface VrchatOpening extends Opening {
  readonly fake?: FakeVrchatOptions
  readonly timing?: VrchatOptions['timing']
  readonly now?: () => number
  readonly settings?: Readonly<Record<string, unknown>>
  readonly credentials?: Readonly<Record<string, unknown>>
}

const operations = {
  'create-place': 'createFile',
  'create-session': 'createFileVersion',
  part: 'putPart',
  finish: 'finishFileDataUpload',
  read: ['getFile', 'getFiles'],
} satisfies Record<FaultStep, FaultRule['operation']>

const actions = {
  'lost-reply': 'lost-reply',
  cut: 'reset-mid-body',
  hang: 'hang',
  unavailable: { kind: 'status', status: 503 },
  page: { kind: 'html', status: 200 },
  'slow-down': { kind: 'status', status: 429, headers: { 'retry-after': '30' } },
  'wrong-etag': 'wrong-etag',
} as const satisfies Record<FaultKind, FaultRule['action']>

/** The VRChat provider against its fake, with waits of milliseconds. */
export async function openVrchat(opening: VrchatOpening = {}): Promise<VrchatStage> {
  const fake = await startFakeVrchat({
    users: [{ ...user, secondFactor: { kind: 'totp', secret: TOTP_SECRET } }],
    multipartThreshold: PART_SIZE,
    minPartSize: PART_SIZE,
    // Budgets have tests of their own; here a second login comes when a test says so.
    loginSpacingMs: 0,
    ...opening.fake,
  })
  const provider = createVrchat({
    timing: { lagMs: 25, retryMs: 20, statusMs: 200, codeMs: 20, ...opening.timing },
    http: { ...(opening.stallMs !== undefined && { stallMs: opening.stallMs }) },
    ...(opening.now && { now: opening.now }),
  })
  const login = memoryLogin({ ...(opening.loginBudget !== undefined && { budget: opening.loginBudget }) })
  const governor = memoryGovernor()
  const accountWith: VrchatStage['accountWith'] = (change) => {
    const settings = {
      baseUrl: fake.baseUrl,
      contact: 'tests@stevedore.invalid',
      minPartSize: 1,
      ...opening.settings,
      ...change.settings,
    }
    const credentials = { ...user, totpSecret: TOTP_SECRET, ...opening.credentials, ...change.credentials }
    const store = change.login ?? login
    return {
      id: 'ann',
      settings: provider.settings.parse(settings),
      credentials: async () => credentials,
      seen: { credentials: () => credentials, login: store.stored },
      login: store,
      governor,
    }
  }
  let names = 0
  return {
    fake,
    login,
    governor,
    accountWith,
    provider,
    account: accountWith({}),
    partSize: PART_SIZE,
    newRequest: (more) => {
      names += 1
      return { destination: { name: `Cube ${names}` }, partSize: PART_SIZE, ...more }
    },
    requestFor: (version: Version) => ({ destination: { fileId: version.remoteId }, partSize: PART_SIZE }),
    lostRequest: () => ({ destination: { fileId: 'file_00000000-0000-4000-8000-000000000000' } }),
    fault: (step, kind, nth) => {
      const which = nth === undefined ? { times: 1 } : { nth }
      fake.faults.add({ operation: operations[step], ...which, action: actions[kind] })
    },
    creates: ['create-place', 'create-session'],
    expireLogins: () => fake.expireSessions(),
    passwordLogins: () => fake.ledger.filter(({ operation }) => operation === 'login').length,
    contents: (version) => fake.bytesOf(version.remoteId, Number(version.number), 'file'),
    places: async () => fake.files.length,
    unfinished: () => fake.openVersions().length,
    violations: () => fake.violations,
    secrets: () => secretsIn(fake, login),
    [Symbol.asyncDispose]: async () => {
      await provider[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}

function secretsIn(fake: FakeVrchat, login: MemoryLogin): string[] {
  const queries = fake.ledger
    .filter(({ operation }) => operation === 'putPart')
    .map(({ rawUrl }) => queryOf(rawUrl))
  const cookies = [...(login.stored() ?? '').matchAll(/value\\*":\\*"([^"\\]+)/g)].map(
    ([, value]) => value ?? '',
  )
  return [user.password, encodeURIComponent(user.password), TOTP_SECRET, ...queries, ...cookies]
}

const queryOf = (rawUrl: string): string => rawUrl.slice(rawUrl.indexOf('?') + 1)
