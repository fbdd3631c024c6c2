import { tmpdir } from 'node:os'

export type SecondFactor =
  | { kind: 'none' }
  /** `secret` is base32, as an authenticator app takes it. */
  | { kind: 'totp'; secret: string }
  /** `code` is what the fake "sent by e-mail". */
  | { kind: 'emailOtp'; code: string }

export interface UserSpec {
  username: string
  password: string
  secondFactor?: SecondFactor
  /** Each works once, shaped `xxxx-xxxx`; only meant for accounts with an authenticator. */
  recoveryCodes?: string[]
}

export interface FakeVrchatOptions {
  /** 0, the default, takes any free port. */
  port?: number
  storagePort?: number
  /** Part files are kept in a new folder in here, removed on dispose. */
  directory?: string
  users?: UserSpec[]

  /** A file of at least so many bytes is `multipart`, a smaller one `simple`. */
  multipartThreshold?: number
  /** Signatures are simple in every report, whatever their size, hence Infinity. */
  signatureMultipartThreshold?: number
  minPartSize?: number
  maxParts?: number
  urlLifetimeMs?: number
  /** `v2` is the old form: AWSAccessKeyId, Expires, Signature. */
  urlStyle?: 'v4' | 'v2'
  /** Slows each body sent to storage down; Infinity means as fast as it comes. */
  storageBytesPerSecond?: number

  /** How long a version stays `queued` after both blobs are finished. */
  processingMs?: number
  /** False skips the MD5 over joined parts (sizes are still compared): for benches. */
  verifyContent?: boolean
  /** False digests what comes and forgets it, so that nothing can be read back: for benches. */
  keepContent?: boolean
  /** For so long after a write, reads give the state before it. */
  staleReadMs?: number
  /** What reading a File just created answers while reads are stale; 200 shows it at once. */
  staleNewFileStatus?: number
  deletedVersions?: 'gone' | 'flagged'
  /** What createFileVersion answers while an unfinished version exists; no source recorded it. */
  pendingVersionStatus?: number
  statusNextPart?: 'count' | 'zero'
  downloads?: 'redirect' | 'direct'
  /** The older File answer: with `delta`, storage addresses in `url`, and `none` for the first date. */
  legacyFiles?: boolean

  maxSessions?: number
  /** A second Basic login sooner than this after one that worked counts as a violation. */
  loginSpacingMs?: number
  /** More API calls of one account at once than this count as a violation. */
  maxConcurrentCalls?: number
  /** A wrong second-factor code: refused, or 200 with `verified: false`. */
  wrongCodeStatus?: 400 | 200
  /** Whether a session with a second factor needs the twoFactorAuth cookie beside the auth cookie. */
  requireTwoFactorCookie?: boolean
  halfAuthMessage?: string
}

export type Settings = Required<FakeVrchatOptions>

const MiB = 1024 * 1024

export function resolveSettings(options: FakeVrchatOptions): Settings {
  return {
    port: 0,
    storagePort: 0,
    directory: tmpdir(),
    users: [],
    multipartThreshold: 5 * MiB,
    signatureMultipartThreshold: Infinity,
    minPartSize: 5 * MiB,
    maxParts: 1000,
    urlLifetimeMs: 15 * 60_000,
    urlStyle: 'v4',
    storageBytesPerSecond: Infinity,
    processingMs: 50,
    verifyContent: true,
    keepContent: true,
    staleReadMs: 0,
    staleNewFileStatus: 200,
    deletedVersions: 'gone',
    pendingVersionStatus: 400,
    statusNextPart: 'count',
    downloads: 'redirect',
    legacyFiles: false,
    maxSessions: 10,
    loginSpacingMs: 5000,
    maxConcurrentCalls: Infinity,
    wrongCodeStatus: 400,
    requireTwoFactorCookie: true,
    halfAuthMessage: 'Requires Two-Factor Authentication',
    ...options,
  }
}
