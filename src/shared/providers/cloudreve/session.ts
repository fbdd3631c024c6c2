import { z } from 'zod'

/** How the site wants the bytes of a session. `empty`: there are none, the site is only told of the file. */
export const transportNames = [
  'local',
  'relay',
  'remote',
  's3',
  'ks3',
  'oss',
  'cos',
  'obs',
  'onedrive',
  'qiniu',
  'upyun',
  'empty',
] as const

export type TransportName = (typeof transportNames)[number]

/** What `prepare` knows so far; each `creating` is saved before its request goes out. */
export const draft = z.object({
  v: z.literal(1),
  kind: z.literal('draft'),
  /**
   * A session asked for and not answered yet: for which URI, since when by the site's clock in ms, over which
   * current entity, and which session's placeholder stood there before.
   */
  creating: z
    .object({
      uri: z.string(),
      since: z.number(),
      previous: z.string().optional(),
      markerBefore: z.string().optional(),
      wasEmpty: z.literal(true).optional(),
    })
    .optional(),
  /** One that was not there when we looked: its request may still take effect. Since when, by the site's clock in ms. */
  late: z.object({ uri: z.string(), since: z.number() }).optional(),
  /** A stranger's unfinished upload in our way, and when we saw it first by the site's clock, in ms. */
  foreign: z.object({ session: z.string(), seen: z.number() }).optional(),
})

/** All that is needed to talk about the upload session again. Sizes in bytes, times in ms since 1970. */
export const session = z.object({
  v: z.literal(1),
  kind: z.literal('session'),
  /** As the site normalised it. */
  uri: z.string(),
  /** Empty for the transport `empty`. */
  sessionId: z.string(),
  transport: z.enum(transportNames),
  /** Of the plain source; the bytes sent are as many. */
  size: z.number(),
  mimeType: z.string(),
  /** When it was asked for, and when it ends, by the site's clock. */
  since: z.number(),
  expires: z.number(),
  /** The entity that was current when the session began; absent for a new file. */
  previous: z.string().optional(),
  /** There was an empty file before: the site removes that together with an unfinished version of it. */
  wasEmpty: z.literal(true).optional(),
  encrypted: z.boolean(),
  /** Only for the transport `empty`: others tell the site with their session. */
  metadata: z.record(z.string(), z.string()).optional(),
})

export const left = z.discriminatedUnion('kind', [draft, session])

export type Draft = z.infer<typeof draft>
export type SessionState = z.infer<typeof session>

/** What a session's tickets are called. */
export const ticket = {
  /** The URL of the nth in `upload_urls`, from 1. */
  url: (number: number): string => `url/${String(number)}`,
  credential: 'credential',
  complete: 'complete',
  callback: 'callback',
  uploadPolicy: 'upload-policy',
  /** Base64. */
  key: 'key',
  iv: 'iv',
} as const
