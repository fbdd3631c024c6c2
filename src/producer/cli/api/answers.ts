import { z } from 'zod'

// Read loosely: `--json` prints what the service said, and newer services say more.
const maybe = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? undefined)

/** Counted by some providers, an id of its own at others. */
const versionNumber = z.union([z.number(), z.string()])

const version = z.looseObject({
  remoteId: z.string(),
  number: versionNumber,
  size: maybe(z.number()),
  md5: maybe(z.string()),
  url: maybe(z.string()),
  completedAt: maybe(z.string()),
})

/** An upload. One that another version of Stevedore wrote has only an id, the state `unreadable` and a note. */
export const upload = z.looseObject({
  id: z.string(),
  state: z.string(),
  provider: maybe(z.string()),
  account: z.string().default(''),
  source: z.string().default(''),
  fileName: maybe(z.string()),
  destination: z.record(z.string(), z.unknown()).default({}),
  size: z.number().default(0),
  bytesSent: z.number().default(0),
  bytesResent: z.number().default(0),
  parts: z.looseObject({ total: z.number(), done: z.number() }).default({ total: 0, done: 0 }),
  waitingFor: maybe(z.string()),
  note: maybe(z.string()),
  version: maybe(version),
  error: maybe(z.looseObject({ class: z.string(), message: z.string(), at: maybe(z.string()) })),
  epoch: maybe(z.number()),
  attempts: maybe(z.number()),
  deadline: maybe(z.string()),
  createdAt: maybe(z.string()),
  updatedAt: maybe(z.string()),
  startedAt: maybe(z.string()),
  endedAt: maybe(z.string()),
})

export type Upload = z.infer<typeof upload>

/** Nothing will happen to it any more, unless a person asks for it. */
export const ended = (state: string): boolean =>
  ['completed', 'skipped', 'failed', 'cancelled', 'unreadable'].includes(state)

/** It is where it should be. */
export const arrived = (state: string): boolean => state === 'completed' || state === 'skipped'

/** One page of a list; `next` is the cursor of the following one. */
export const page = <Item extends z.ZodType>(item: Item) =>
  z.looseObject({ items: z.array(item), next: maybe(z.string()) })

export const account = z.looseObject({
  id: z.string(),
  provider: z.string(),
  state: z.string().default(''),
  stateReason: maybe(z.string()),
  challengeMethods: z.array(z.string()).default([]),
  limits: z.record(z.string(), z.number()).default({}),
  parked: maybe(z.looseObject({ until: z.string(), why: z.string() })),
  activeUploads: z.number().default(0),
  createdAt: maybe(z.string()),
})

export type Account = z.infer<typeof account>

export const remoteFile = z.looseObject({
  id: z.string(),
  name: z.string(),
  versions: z.array(
    z.looseObject({
      number: versionNumber,
      status: z.string(),
      size: maybe(z.number()),
      md5: maybe(z.string()),
      createdAt: maybe(z.string()),
    }),
  ),
})

export type RemoteFile = z.infer<typeof remoteFile>

export const ledgerEntry = version.extend({ upload: maybe(z.string()) })

export type LedgerEntry = z.infer<typeof ledgerEntry>

/** What was asked for is done, and nothing needs to be said. */
export const nothing = z.unknown()
