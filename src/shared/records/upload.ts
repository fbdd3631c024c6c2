import { z } from 'zod'

/** Format of the records that this version writes and understands. */
export const RECORD_VERSION = 1

export const runningStates = ['preparing', 'transferring', 'finishing', 'confirming'] as const
export const endStates = ['completed', 'skipped', 'failed', 'cancelled'] as const
export const uploadStates = ['queued', ...runningStates, ...endStates] as const

export type UploadState = (typeof uploadStates)[number]
export type RunningState = (typeof runningStates)[number]
export type EndState = (typeof endStates)[number]

export const isEnded = (state: UploadState): state is EndState =>
  // The list is wider in type only.
  (endStates as readonly UploadState[]).includes(state)

export const isRunning = (state: UploadState): state is RunningState => state !== 'queued' && !isEnded(state)

export const fingerprint = z.object({ size: z.number(), mtimeNs: z.string(), inode: z.string() })

const hashes = z.object({
  md5: z.string(),
  signature: z.object({ md5: z.string(), size: z.number() }).exactOptional(),
})

const blob = z.object({
  name: z.string(),
  content: z.enum(['source', 'signature']),
  size: z.number(),
  partSize: z.number(),
  parallel: z.number(),
  lastAfterOthers: z.literal(true).exactOptional(),
})

const session = z.object({ blobs: z.array(blob).readonly(), state: z.unknown() })

export const version = z.object({
  remoteId: z.string(),
  number: z.union([z.number(), z.string()]),
  size: z.number(),
  md5: z.string().exactOptional(),
  url: z.string().exactOptional(),
  completedAt: z.number(),
})

export const uploadError = z.object({ class: z.string(), message: z.string(), at: z.number() })

/** Fields of the hash that hold JSON, each with its schema. */
const jsonFields = {
  request: z.record(z.string(), z.unknown()),
  plan: z.object({ partSize: z.number().exactOptional(), signaturePartSize: z.number().exactOptional() }),
  fingerprint: fingerprint.exactOptional(),
  hashes: hashes.exactOptional(),
  session: session.exactOptional(),
  draft: z.unknown().optional(),
  version: version.exactOptional(),
  error: uploadError.exactOptional(),
  failure: uploadError.exactOptional(),
  restart: uploadError.exactOptional(),
  restarts: z.record(z.string(), z.number()).default({}),
}

const count = z.coerce.number().int().default(0)

/** An upload as Redis keeps it. Times in ms since 1970, sizes in bytes. */
export const uploadRecord = z.object({
  ...jsonFields,
  v: z.coerce.number().refine((v) => v === RECORD_VERSION, 'was written by another version of Stevedore'),
  id: z.string(),
  provider: z.string(),
  account: z.string(),
  state: z.enum(uploadStates),
  desired: z.enum(['run', 'cancel']),
  epoch: count,
  rev: count,
  run: count,
  priority: count,
  /** `file:///…` URL as given. */
  source: z.string(),
  fileName: z.string(),
  destination: z.string(),
  binding: z.string().default(''),
  /** '1' when a new place is made whatever the name is bound to. */
  fresh: z.string().default(''),
  size: count,
  blob: count,
  partsTotal: count,
  partsDone: count,
  bytesSent: count,
  bytesResent: count,
  verify: z.enum(['none', 'download']),
  waitingFor: z.string().optional(),
  note: z.string().optional(),
  deadline: count,
  confirmSince: z.coerce.number().optional(),
  cleanupSince: z.coerce.number().optional(),
  createdAt: count,
  updatedAt: count,
  startedAt: z.coerce.number().optional(),
  endedAt: z.coerce.number().optional(),
})

export type UploadRecord = z.infer<typeof uploadRecord>

/** A record nobody here can read: it is parked with this as its reason, never guessed at. */
export class UnknownRecord extends Error {
  override name = 'UnknownRecord'
}

/** The same for anything else that is kept of an upload, such as its request: every other error stays what it is. */
export const asUnknownRecord = (error: unknown): unknown =>
  error instanceof z.ZodError
    ? new UnknownRecord(`This version of Stevedore can not read it: ${z.prettifyError(error)}`, {
        cause: error,
      })
    : error

/** A hash from Redis as a record. Throws `UnknownRecord` for another format version or a damaged record. */
export function parseUpload(fields: Record<string, string>): UploadRecord {
  const parsed = uploadRecord.safeParse(
    Object.fromEntries(
      Object.entries(fields).map(([name, text]) => [name, name in jsonFields ? parseJson(text) : text]),
    ),
  )
  if (parsed.success) return parsed.data
  throw new UnknownRecord(
    `The record of upload ${fields['id'] ?? '?'} can not be read: ${z.prettifyError(parsed.error)}`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
