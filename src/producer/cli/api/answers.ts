import { z } from 'zod'

/** Read loosely: `--json` prints what the service said, and newer services say more. */
const time = z.union([z.number(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? undefined)

export const version = z.looseObject({
  remoteId: z.string(),
  number: z.number(),
  size: optional(z.number()),
  md5: optional(z.string()),
  url: optional(z.string()),
  completedAt: optional(time),
})

const failure = z.looseObject({ class: z.string(), message: z.string(), at: optional(time) })

export const upload = z.looseObject({
  id: z.string(),
  provider: optional(z.string()),
  account: z.string(),
  state: z.string(),
  waitingFor: optional(z.string()),
  note: optional(z.string()),
  source: z.string(),
  destination: z.unknown(),
  size: optional(z.number()),
  bytesSent: z.number().default(0),
  bytesResent: z.number().default(0),
  parts: z.looseObject({ total: optional(z.number()), done: z.number().default(0) }).optional(),
  version: optional(version),
  error: optional(failure),
  epoch: optional(z.number()),
  attempts: optional(z.number()),
  createdAt: time,
  updatedAt: optional(time),
  endedAt: optional(time),
})

export type Upload = z.infer<typeof upload>

/** One page of a list; `cursor` is there when there is more. */
export const page = <Item extends z.ZodType>(item: Item) =>
  z.looseObject({ items: z.array(item), cursor: optional(z.string()) })

export const account = z.looseObject({
  id: z.string(),
  provider: z.string(),
  state: optional(z.string()),
  stateReason: optional(z.string()),
  createdAt: optional(time),
})

export type Account = z.infer<typeof account>

/** Logged in, or a person's code is wanted. */
export const loginAnswer = z.looseObject({
  kind: z.string(),
  methods: z.array(z.string()).default([]),
})

export const remoteFile = z.looseObject({
  id: z.string(),
  name: z.string(),
  versions: z
    .array(
      z.looseObject({
        number: z.number(),
        status: z.string(),
        size: optional(z.number()),
        md5: optional(z.string()),
        createdAt: optional(z.string()),
      }),
    )
    .default([]),
})

export type RemoteFile = z.infer<typeof remoteFile>

export const ledgerEntry = version.extend({ upload: optional(z.string()), destination: optional(z.string()) })

export const ended = (state: string): boolean => ['completed', 'skipped', 'failed', 'cancelled'].includes(state)

/** It is where it should be. */
export const arrived = (state: string): boolean => state === 'completed' || state === 'skipped'
