import { tmpdir } from 'node:os'
import type { OpenStores } from './stores/host.ts'
import type { StoreKind } from './stores/store.ts'

export interface UserSpec {
  email: string
  password: string
  /** Base32, as an authenticator app takes it; no second factor without it. */
  totpSecret?: string
  /** Bytes; Infinity when absent. */
  quota?: number
  /** Whether earlier versions are kept; true when absent. */
  versionRetention?: boolean
  status?: 'active' | 'banned' | 'inactive'
}

export interface PolicySpec {
  type: 'local' | StoreKind
  /** Hash id, as in `storage_policy.id`; from type and place in the list when absent. */
  id?: string
  name?: string
  /** Uploads below this folder, such as `/s3`, use the policy; without it everything else does. */
  folder?: string
  /** Bytes; 0 for one single chunk. 25 MiB when absent, OneDrive 50 MiB. */
  chunkSize?: number
  /** Not told to the client when absent. */
  chunkConcurrency?: number
  /** Whether local files have their full length from the start; true when absent. */
  preAllocate?: boolean
  /** The site takes the bytes itself, in one request, whatever the type. */
  relay?: boolean
  encryption?: boolean
  /** Bytes, 0 for no limit. */
  maxSize?: number
  allowedSuffix?: string[]
  deniedSuffix?: string[]
  allowedNameRegexp?: string
  deniedNameRegexp?: string
  /** OneDrive on SharePoint: what is stored may be up to 1 MiB larger than announced. */
  sharePoint?: boolean
}

/** What a test may change while the fake runs; each number is used up as it happens. */
export interface Switches {
  /** So many chunks that come while another of their session is under way answer 40073 without data. */
  spuriousConflicts: number
  /** So many completions fail with 50001 after the last byte was taken. */
  failCompletions: number
  /** So many callbacks fail while they are processed, each as its kind does. */
  failCallbacks: number
}

export interface FakeCloudreveOptions extends Partial<Switches> {
  /** 0, the default, takes any free port. */
  port?: number
  /** Content is kept in a new folder in here, removed on dispose. */
  directory?: string
  /** False digests what comes and forgets it, so that nothing can be read back: for benches. */
  keepContent?: boolean
  users?: UserSpec[]
  /** `4.18.0` when absent; earlier ones lack what the version matrix says. */
  version?: string
  /** Pro honours `policy_id`, and says so in its version. */
  pro?: boolean
  /** One local policy when absent. The first without a folder is the default. */
  policies?: PolicySpec[]
  stores?: OpenStores
  /** The right answer when login wants a captcha. */
  captcha?: string
  /** What a wrong password is answered: both codes are known. */
  badPasswordCode?: 40069 | 40080
  sessionLifetimeMs?: number
  accessTtlMs?: number
  refreshTtlMs?: number
  /** How likely a write of the database fails, from 0 to 1, as 50001 and -1 by turns. */
  sqliteLocked?: number
  /** What 4.18.0 does after a failed completion: a chunk sent again answers 0, and nothing completes. */
  stuckComplete?: boolean
  /** Bytes that `PUT /file/content` takes. */
  maxEditSize?: number
  /** How long Upyun takes from the last byte to its notification. */
  upyunDelayMs?: number
  /** How listings page; both are seen. */
  paging?: 'page' | 'cursor'
  maxPageSize?: number
  /** Wanted in `X-Cr-Purchase-Ticket` on creation, chunks and deletion. */
  purchaseTicket?: string
  /** 16 bytes; random for each session when absent. */
  encryptionIv?: Uint8Array
  /** More logins of one user than this count as a violation. */
  maxLogins?: number
  /** More calls of one user at once than this count as a violation. */
  maxConcurrentCalls?: number
}

export type Policy = Required<Omit<PolicySpec, 'folder' | 'chunkConcurrency' | OptionalRule>> &
  Pick<PolicySpec, 'folder' | 'chunkConcurrency' | OptionalRule>

type OptionalRule = 'allowedSuffix' | 'deniedSuffix' | 'allowedNameRegexp' | 'deniedNameRegexp'

type Unset = 'stores' | 'captcha' | 'purchaseTicket' | 'encryptionIv' | 'policies' | keyof Switches

export interface Settings
  extends Required<Omit<FakeCloudreveOptions, Unset>>, Pick<FakeCloudreveOptions, Unset> {
  policies: [Policy, ...Policy[]]
}

const MiB = 1024 * 1024

export function resolveSettings({ policies, ...options }: FakeCloudreveOptions): Settings {
  const [first = resolvePolicy({ type: 'local' }, 0), ...rest] = (policies ?? []).map(resolvePolicy)
  return {
    port: 0,
    directory: tmpdir(),
    keepContent: true,
    users: [],
    version: '4.18.0',
    pro: false,
    badPasswordCode: 40_069,
    sessionLifetimeMs: 86_400_000,
    accessTtlMs: 3_600_000,
    refreshTtlMs: 1_209_600_000,
    sqliteLocked: 0,
    stuckComplete: true,
    maxEditSize: 50 * MiB,
    upyunDelayMs: 50,
    paging: 'cursor',
    maxPageSize: 2000,
    maxLogins: Infinity,
    maxConcurrentCalls: Infinity,
    ...options,
    policies: [first, ...rest],
  }
}

function resolvePolicy(spec: PolicySpec, index: number): Policy {
  return {
    id: `${spec.type}${index}`,
    name: spec.type,
    chunkSize: spec.type === 'onedrive' ? 50 * MiB : 25 * MiB,
    preAllocate: true,
    relay: false,
    encryption: false,
    maxSize: 0,
    sharePoint: false,
    ...spec,
  }
}
