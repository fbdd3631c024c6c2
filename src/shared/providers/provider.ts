import type { Readable } from 'node:stream'
import type { z } from 'zod'

/** A part as a provider sees it. Offsets and lengths in bytes, numbers from 1. */
export interface Part {
  readonly number: number
  readonly offset: number
  readonly length: number
  /** MD5 of these bytes, 32 lower-case hex digits; absent when the plan asked for no hashing pass. */
  readonly md5?: string
}

/** Rewindable bytes of one part: every `open` starts at its first byte. The caller of `open` destroys it. */
export interface Slice {
  readonly length: number
  readonly open: () => Readable
}

/** What the provider answered for a part. */
export interface Receipt {
  /** As received, with quotes and all; absent where the provider gives none. */
  readonly etag?: string
  /** MD5 of the bytes that went out, lower-case hex, if the provider made it on the way. */
  readonly md5?: string
}

/** One byte sequence of an upload: the source itself, or what is derived from it. */
export interface Blob {
  readonly name: string
  readonly content: 'source' | 'signature'
  readonly size: number
  /** Every part has this length but the last; `size` or more means one part. An empty blob has one empty part. */
  readonly partSize: number
  /** Parts under way at once; 1 means strictly in order. */
  readonly parallel: number
  /** The last part is sent only when all others have their receipts: it completes the blob. */
  readonly lastAfterOthers?: true
}

/** The remote upload as the record keeps it. `state` is the provider's own small JSON; never a secret. */
export interface Session {
  readonly blobs: readonly Blob[]
  readonly state: unknown
  /** What a person should know about how it was opened, such as something it may have left behind. */
  readonly note?: string
}

/** MD5s in lower-case hex. The signature is there when the provider's plan asked for it. */
export interface Hashes {
  readonly md5: string
  readonly signature?: { readonly md5: string; readonly size: number }
}

/** How the hashing pass shall cut, decided before the remote session exists. Sizes in bytes. */
export interface Plan {
  /** Absent when nothing has to be known of the bytes before they are sent: then there is no hashing pass. */
  readonly partSize?: number
  /** Part size for the rsync signature, when the provider wants one. */
  readonly signaturePartSize?: number
}

/** The place an upload goes to. Uploads with the same key never run at once. */
export interface Destination {
  /** Unique over all accounts when the remote id is known, such as `vrchat/file_…`. */
  readonly key: string
  /** Set when the place is addressed by a name that may be bound to a remote id later. */
  readonly binding?: string
  /** A new place is made whatever the name is bound to; the name is bound to the new one afterwards. */
  readonly fresh?: true
}

/** What a provider calls a version: VRChat counts them, Cloudreve gives each an id. */
export type VersionNumber = number | string

/** A finished upload in the ledger. */
export interface Version {
  readonly remoteId: string
  readonly number: VersionNumber
  readonly size: number
  /** Absent when the source was not hashed and the provider does not say it. */
  readonly md5?: string
  readonly url?: string
  readonly completedAt: number
}

/** What a provider is told about the upload it works for. Times in ms since 1970. */
export interface UploadView {
  readonly id: string
  readonly epoch: number
  /** Parsed by the provider's own `uploadRequest`. */
  readonly request: unknown
  /** Base name of the source. */
  readonly fileName: string
  readonly size: number
  /** When the source was last changed, in ms since 1970. */
  readonly modifiedAt?: number
  /** Absent until the hashing pass is done, and for good when the plan asked for none. */
  readonly hashes?: Hashes
  /** Remote id that the destination's name is bound to, if it is. */
  readonly boundTo?: string
  /** Newest ledger entry of this destination made from a source with this very fingerprint. */
  readonly unchangedSince?: Version
}

/** What is at the destination. */
export type Inspection =
  | { readonly kind: 'absent' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'unchanged'; readonly version: Version }
  | Kept

/** Something else is at the destination, and the request says to leave it there: nothing is sent. */
export interface Kept {
  readonly kind: 'kept'
  readonly version: Version
  readonly note: string
}

export type Confirmation =
  | { readonly kind: 'complete'; readonly version: Version }
  /** `startOver`: if it stays so, the session is dead, and another one may help. */
  | { readonly kind: 'pending'; readonly why: string; readonly startOver?: true }
  | { readonly kind: 'broken'; readonly why: string }

export type Challenge = { readonly method: string; readonly code: string }

export type LoginResult =
  | { readonly kind: 'ok' }
  /** `note`: what a person has to see to answer, if anything, such as the address of a picture. */
  | { readonly kind: 'challenge'; readonly methods: readonly string[]; readonly note?: string }

/** Where a provider keeps its login (cookie jar, tokens), encrypted by whoever hands this over. */
export interface LoginStore {
  /** The login as last saved, by any process. */
  readonly load: () => Promise<string | undefined>
  readonly save: (login: string) => Promise<void>
  /** Runs `work` while no other process logs this account in. Whoever waited must load again first. */
  readonly exclusive: <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>
  /**
   * Takes one password login from the persisted budget; throws `NeedsPerson('needs-login')` when it is spent.
   * A person's own `login` resets it.
   */
  readonly spend: () => Promise<void>
}

export interface Governor {
  /**
   * Runs one API call of this account within its limits (calls at once, spacing), across processes. Throws
   * `AccountParked` or `NeedsPerson` without running it, while the account is parked or waits for a person.
   */
  readonly call: <T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>) => Promise<T>
}

/** All that a provider gets to work with for one account. */
export interface AccountAccess {
  readonly id: string
  /** Parsed by the provider's own `accountSettings`. Holds no secret. */
  readonly settings: unknown
  /** As stored now, decrypted; parsed by the provider's own `credentials`. Never logged, never in an error. */
  readonly credentials: () => Promise<unknown>
  /** The same and the login as this access last saw them: asks nobody, and may be outdated. */
  readonly seen: { readonly credentials: () => unknown; readonly login: () => string | undefined }
  readonly login: LoginStore
  readonly governor: Governor
}

export interface RemoteFile {
  readonly id: string
  readonly name: string
  readonly versions: readonly {
    readonly number: VersionNumber
    readonly status: string
    readonly size?: number
    readonly md5?: string
    readonly createdAt?: string
  }[]
}

/** What of the provider's files to list. */
export interface ListQuery {
  /** Where, at a provider that has folders. */
  readonly folder?: string
  readonly tag?: string
  readonly n?: number
  readonly offset?: number
}

export interface Download {
  readonly size?: number
  readonly fileName: string
  readonly body: Readable
}

/** Limits of one account; every provider has its own defaults. Times in ms. */
export interface Limits {
  readonly maxActiveUploads: number
  readonly partsAtOnce: number
  readonly callsAtOnce: number
  readonly callSpacingMs: number
}

/** Keeps what `prepare` learnt so far, before it goes on. `destination` binds the upload to a remote id. */
export type SaveDraft = (
  draft: unknown,
  bound?: { readonly key: string; readonly remoteId: string },
) => Promise<void>

/**
 * Secrets by name that a session needs and that can not be asked for again, such as a presigned URL per part. Kept
 * encrypted, apart from the session, until the upload ends or starts over.
 */
export type Tickets = Readonly<Record<string, string>>

/** Answers tickets in the order of their names; `undefined` for one that was never saved. */
export type ReadTickets = (names: readonly string[]) => Promise<readonly (string | undefined)[]>

/** What `prepare` goes on from, and how it keeps what it does. */
export interface OpeningUpload {
  readonly draft: unknown
  readonly save: SaveDraft
  /** Keeps a session's tickets, in place of any before; called before `prepare` answers that session. */
  readonly saveTickets: (tickets: Tickets) => Promise<void>
  readonly stillOurs: StillOurs
}

/** Whether this upload still may change its destination: owner and epoch, asked right before a removal. */
export type StillOurs = () => Promise<boolean>

/** One part on its way. */
export interface PartSending {
  readonly blob: Blob
  readonly part: Part
  readonly slice: Slice
  readonly tickets: ReadTickets
}

/** A blob all of whose parts have their receipts. */
export interface BlobFinishing {
  readonly blob: Blob
  /** In part order. */
  readonly receipts: readonly Receipt[]
  readonly tickets: ReadTickets
}

/**
 * Everything a provider can vary, and nothing of it known to producer or worker. All calls take an
 * `AbortSignal`, bound their own waits, and throw the classes of `errors.ts`.
 */
export interface Provider {
  readonly name: string
  /** The provider's parts of `POST /v1/accounts`: secrets go to `credentials`, the rest to `settings`. */
  readonly accountRequest: z.ZodObject
  readonly credentials: z.ZodObject
  readonly settings: z.ZodObject
  /** The provider's parts of `POST /v1/uploads`. */
  readonly uploadRequest: z.ZodObject
  readonly limits: Limits

  /** `fileName` is the source's base name, or empty when there is none yet. */
  readonly destination: (account: string, request: unknown, fileName: string) => Destination
  /** Refuses (FatalError) what can never work, before anything is sent. `settings`: the account's, if known. */
  readonly plan: (request: unknown, size: number, settings?: unknown) => Plan
  /** Logs in now, as a person asked for it. */
  readonly login: (account: AccountAccess, signal: AbortSignal) => Promise<LoginResult>
  readonly answerChallenge: (
    account: AccountAccess,
    challenge: Challenge,
    signal: AbortSignal,
  ) => Promise<LoginResult>
  /** Reads only. Without hashes it answers `unchanged` only if `unchangedSince` is still the current version. */
  readonly inspect: (account: AccountAccess, upload: UploadView, signal: AbortSignal) => Promise<Inspection>
  /**
   * Opens the remote session, or goes on opening it from the last saved draft. Safe to be killed and called
   * again between any two lines: whatever is created remotely was announced by `save` before. Answers `Kept` when
   * what it finds at the destination is to be left there.
   */
  readonly prepare: (
    account: AccountAccess,
    upload: UploadView,
    opening: OpeningUpload,
    signal: AbortSignal,
  ) => Promise<Session | Kept>
  /** Sends one slice and checks the answer against its MD5. May be called twice for the same part. */
  readonly sendPart: (
    account: AccountAccess,
    session: Session,
    sending: PartSending,
    signal: AbortSignal,
  ) => Promise<Receipt>
  /** Completes one blob; receipts in part order. May be called twice; reads back when unsure. */
  readonly finish: (
    account: AccountAccess,
    session: Session,
    finishing: BlobFinishing,
    signal: AbortSignal,
  ) => Promise<void>
  /** Reads back whether the upload is complete, whole and current. */
  readonly confirm: (
    account: AccountAccess,
    session: Session,
    upload: UploadView,
    signal: AbortSignal,
  ) => Promise<Confirmation>
  /** How long `confirm` may answer `pending`, in ms. */
  readonly confirmWithinMs: (size: number, session: Session) => number
  /**
   * Removes what this upload left half-made, given its session or its last draft. May be called twice and
   * while a part is still being sent. Never removes a finished version, nor anything that is not ours.
   * Answers what a person should know was possibly left behind all the same.
   */
  readonly abort: (
    account: AccountAccess,
    left: { readonly state: unknown; readonly stillOurs: StillOurs; readonly tickets: ReadTickets },
    signal: AbortSignal,
  ) => Promise<string | undefined>

  readonly list: (
    account: AccountAccess,
    query: ListQuery,
    signal: AbortSignal,
  ) => Promise<readonly RemoteFile[]>
  readonly show: (account: AccountAccess, remoteId: string, signal: AbortSignal) => Promise<RemoteFile>
  readonly download: (
    account: AccountAccess,
    which: { readonly remoteId: string; readonly version: VersionNumber },
    signal: AbortSignal,
  ) => Promise<Download>
  /** Removes a file, or one version of it. The caller holds the destination. */
  readonly remove: (
    account: AccountAccess,
    which: { readonly remoteId: string; readonly version?: VersionNumber },
    signal: AbortSignal,
  ) => Promise<void>
}
