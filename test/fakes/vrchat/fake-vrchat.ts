import type { CallStats } from '../http/calls.ts'
import type { Faults } from '../http/faults.ts'
import type { Hooks } from '../http/ledger.ts'
import type { FaultRule } from './faults.ts'
import type { FileType, Status } from './file-records.ts'
import type { Declared } from './file-store.ts'
import type { HookEvent, LedgerEntry } from './ledger.ts'
import type { UserSpec } from './options.ts'

export interface BlobState {
  category: 'simple' | 'multipart'
  status: Status
  declaredMd5: string
  declaredSize: number
  uploadId: string
  parts: { partNumber: number; size: number; md5: string }[]
  /** Request body bytes that came for it, re-sent and refused ones too. */
  received: number
  /** Of the bytes that arrived, once finished; 0 before. */
  size: number
  /** Base64; undefined until the server came to compute it. */
  md5: string | undefined
  /** Hex; undefined until asked for by `sha256Of` or the totals, for it costs a read of the whole. */
  sha256: string | undefined
}

interface VersionState {
  version: number
  status: Status
  deleted: boolean
  createdAt: string
  file: BlobState | undefined
  signature: BlobState | undefined
}

export interface FileState {
  id: string
  owner: string
  name: string
  mimeType: string
  extension: string
  tags: string[]
  versions: VersionState[]
}

interface OpenVersion {
  fileId: string
  version: number
  status: Status
}

export interface BlobTotals {
  fileId: string
  name: string
  version: number
  fileType: FileType
  category: string
  status: Status
  versionStatus: Status
  declaredSize: number
  storedBytes: number
  receivedBytes: number
  md5: string | undefined
  sha256: string | undefined
}

export interface Totals {
  /** Of Files and versions that still exist. */
  blobs: BlobTotals[]
  files: number
  completeVersions: number
  openVersions: number
  maxOpenVersions: number
  /** Over everything that came, for deleted versions too. */
  receivedBytes: number
  declaredBytes: number
  storedBytes: number
  requests: Record<string, number>
  violations: number
}

export interface SeedFile {
  /** Username; the first user when absent. */
  owner?: string
  id?: string
  name?: string
  mimeType?: string
  extension?: string
  tags?: string[]
}

export interface SeedVersion extends Partial<Declared> {
  status?: Status
  /** The next free number when absent; a higher one leaves a gap. */
  version?: number
  file?: Uint8Array
  signature?: Uint8Array
  /** For a waiting version: which of its blobs are finished already. */
  finished?: FileType[]
  /** For a waiting multipart file: parts that were uploaded, from 1. */
  parts?: Uint8Array[]
}

export interface FakeVrchat extends AsyncDisposable {
  /** Ends in `/api/1`. */
  baseUrl: string
  /** The origin of the fake S3. */
  storageUrl: string
  controlUrl: string
  ledger: LedgerEntry[]
  /** What the client did against the protocol, one sentence each. */
  violations: string[]
  faults: Faults<FaultRule>
  /** Set `hooks.onRequest` at any time. */
  readonly hooks: Hooks<HookEvent>
  /** A snapshot of what exists. */
  readonly files: FileState[]
  readonly maxOpenVersions: number
  openVersions: () => OpenVersion[]
  /** The bytes as finished, or as far as they came; throws when there is no such blob. */
  bytesOf: (fileId: string, version: number, fileType: FileType) => Promise<Buffer>
  /** Hex. */
  sha256Of: (fileId: string, version: number, fileType: FileType) => Promise<string>
  accountStats: (username: string) => CallStats
  addUser: (user: UserSpec) => void
  /** Every auth cookie becomes invalid; twoFactorAuth cookies stay good. */
  expireSessions: () => void
  /** Every twoFactorAuth cookie becomes invalid as well. */
  forgetSecondFactors: () => void
  /** Answers the new File's id. */
  seedFile: (file?: SeedFile) => string
  /** Adds a version as somebody else would have left it; answers its number. */
  seedVersion: (fileId: string, version?: SeedVersion) => Promise<number>
  /** Changes one byte of a finished file that has any. */
  tamper: (fileId: string, version: number) => Promise<void>
  totals: () => Promise<Totals>
}
