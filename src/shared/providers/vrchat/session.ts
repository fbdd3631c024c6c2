import { z } from 'zod'

/** The four values a version is declared with, as VRChat has them: MD5s in base64. */
const declared = z.object({
  fileMd5: z.string(),
  fileSizeInBytes: z.number(),
  signatureMd5: z.string(),
  signatureSizeInBytes: z.number(),
})

const orphan = z.object({ name: z.string(), since: z.number() })

/** What `prepare` knows so far; each `creating…` is saved before its request goes out. */
export const draft = z.object({
  v: z.literal(1),
  kind: z.literal('draft'),
  fileId: z.string().optional(),
  /** This upload made the File, and so may remove it again. */
  created: z.boolean().default(false),
  creatingFile: z
    .object({
      name: z.string(),
      extension: z.string(),
      mimeType: z.string(),
      tags: z.array(z.string()),
      since: z.number(),
    })
    .optional(),
  /** `after`: the highest version number there was before the request. */
  creatingVersion: declared.extend({ after: z.number() }).optional(),
  /** A stranger's unfinished version, and when we saw it first. */
  foreign: z.object({ version: z.number(), seen: z.number() }).optional(),
  /** A File that may have been made by a request whose answer was lost, and that nobody can tell apart. */
  possibleOrphan: orphan.optional(),
})

const descriptor = z.object({ category: z.string(), uploadId: z.string() })

/** All that is needed to talk about the version again. */
export const session = z.object({
  v: z.literal(1),
  kind: z.literal('session'),
  fileId: z.string(),
  version: z.number(),
  created: z.boolean(),
  mimeType: z.string(),
  file: descriptor,
  signature: descriptor,
})

export const left = z.discriminatedUnion('kind', [draft, session])

export type Declared = z.infer<typeof declared>
export type Draft = z.infer<typeof draft>
export type SessionState = z.infer<typeof session>
export type Descriptor = z.infer<typeof descriptor>
