import type { Faults } from '../http/faults.ts'
import type { Hooks } from '../http/ledger.ts'
import type { CallStats } from '../http/calls.ts'
import type { FaultRule } from './faults.ts'
import type { HookEvent, LedgerEntry } from './ledger.ts'
import type { Switches, UserSpec } from './options.ts'
import type { Store } from './stores/store.ts'
import type { UserStats } from './users.ts'

export interface EntityState {
  id: string
  /** As announced. */
  size: number
  /** Really there. */
  storedSize: number
  /** Hex, of the plain bytes; undefined for placeholders and for what was not kept. */
  sha256: string | undefined
  /** Of the policy. */
  policyId: string
  encrypted: boolean
  isCurrent: boolean
  /** Set for placeholders. */
  sessionId: string | undefined
}

export interface FileState {
  uri: string
  /** Email address of its owner. */
  user: string
  id: string
  type: 'file' | 'folder'
  size: number
  /** Hex, of the current version. */
  sha256: string | undefined
  metadata: Record<string, string>
  /** ms since 1970. */
  lastModified: number
  primaryEntity: string
  /** Oldest first. */
  entities: EntityState[]
}

export interface Placeholder {
  uri: string
  user: string
  sessionId: string
  /** Bytes that count against the quota. */
  reserved: number
  /** Whether its session is still known to the site. */
  isLive: boolean
  isLocked: boolean
}

export interface OpenSession {
  id: string
  uri: string
  user: string
  policyId: string
  size: number
  chunkSize: number
  /** ms since 1970. */
  expires: number
  /** Chunks that the site itself has in full, in order. */
  received: number[]
}

export interface FileTotals {
  uri: string
  user: string
  policyId: string
  encrypted: boolean
  declaredSize: number
  storedBytes: number
  /** Request bodies that brought it, chunks sent again too; of all versions of this uri. */
  receivedBytes: number
  sha256: string | undefined
}

export interface Totals {
  /** Files with a current version. */
  files: FileTotals[]
  placeholders: number
  reservedBytes: number
  /** Of chunks, parts and small files, over everything that came. */
  receivedBytes: number
  declaredBytes: number
  storedBytes: number
  /** Uploads that the stores still hold unfinished, by kind. */
  unfinished: Record<string, number>
  requests: Record<string, number>
  resentAcknowledged: number
  violations: number
}

export interface SeedFile {
  uri: string
  bytes: Uint8Array
  /** Email address; the first user when absent. */
  user?: string
  /** ms since 1970; now when absent. */
  lastModified?: number
}

interface Which {
  /** Email address; any user's when absent. */
  user?: string
  /** As it lies in the store, encrypted or not. */
  raw?: boolean
}

export interface FakeCloudreve extends AsyncDisposable {
  /** The origin; the API is below `/api/v4`. */
  baseUrl: string
  controlUrl: string
  /** Of the site and its stores, in order of arrival. */
  ledger: LedgerEntry[]
  /** What the client did against the protocol, one sentence each. */
  violations: string[]
  faults: Faults<FaultRule>
  /** Set `hooks.onRequest` at any time. */
  readonly hooks: Hooks<HookEvent>
  readonly switches: Switches
  readonly stores: readonly Store[]
  /** Chunks that the site was sent again though it had acknowledged them. */
  readonly resentAcknowledged: number
  /** A snapshot of what exists, placeholders too; it reads all there is, for the digests. */
  files: () => Promise<FileState[]>
  /** The plain bytes of a file's current version, or of any entity by id; throws when there is none. */
  contents: (uriOrEntity: string, which?: Which) => Promise<Buffer>
  placeholders: () => Placeholder[]
  openSessions: () => OpenSession[]
  accountStats: (email: string) => UserStats & { calls: CallStats; used: number }
  totals: () => Promise<Totals>
  addUser: (user: UserSpec) => void
  /** Puts a version there as somebody else would have; answers its entity id. */
  seedFile: (seed: SeedFile) => Promise<string>
  /** One byte of the file's current version reads differently from now on. */
  tamper: (uriOrEntity: string) => void
  /** Every access token becomes void: requests with one go on as anonymous. */
  expireTokens: () => void
  /** Every refresh token as well. */
  revokeLogins: () => void
  /** Every upload session runs out, and with it what the stores issued for it. */
  expireSessions: () => Promise<void>
  /** Moves the clock of sessions, locks and stores; tokens do not feel it. */
  passTime: (ms: number) => Promise<void>
  /** Locks are lost; so are the sessions, unless the KV was saved. */
  restart: (options?: { sessions?: 'kept' | 'lost' }) => void
}
