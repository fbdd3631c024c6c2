import { z } from 'zod'
import type { Declared } from './session.ts'

/** The path segment that names one of a version's byte sequences. `delta` is dead, but still in the API. */
export type FileType = 'file' | 'signature' | 'delta'

// Statuses and categories are plain strings: VRChat adds some now and then, and none may break reading.
const fileData = z.object({
  category: z.string().default('queued'),
  fileName: z.string().default(''),
  md5: z.string().optional(),
  sizeInBytes: z.number().default(0),
  status: z.string(),
  uploadId: z.string().default(''),
  url: z.string().default(''),
})

const fileVersion = z.object({
  version: z.number(),
  status: z.string(),
  // Not always a date: the word `none` occurs.
  created_at: z.string().default('none'),
  deleted: z.boolean().optional(),
  file: fileData.optional(),
  signature: fileData.optional(),
  // Only in older answers.
  delta: fileData.optional(),
})

/** A File of today's answers and of the old form alike: docs/vrchat.md, Files and versions. */
export const file = z.object({
  id: z.string(),
  name: z.string(),
  extension: z.string(),
  mimeType: z.string(),
  ownerId: z.string().default(''),
  tags: z.array(z.string()).default([]),
  versions: z.array(fileVersion),
})

export const files = z.array(file)

/** The File that was removed, or shape E of docs/vrchat.md, Errors: anything else may be a proxy's page. */
export const removedFile = z.union([z.object({ id: z.string() }), z.object({ success: z.looseObject({}) })])

export const uploadUrl = z.object({ url: z.string().min(1) })

/** `etags` and `parts` have no known element type and say nothing that our receipts do not. */
export const uploadStatus = z.object({
  uploadId: z.string(),
  fileName: z.string().default(''),
  maxParts: z.number().optional(),
  nextPartNumber: z.number().optional(),
  etags: z.array(z.unknown()).default([]),
  parts: z.array(z.unknown()).default([]),
})

export type VrchatFile = z.infer<typeof file>
export type FileVersion = z.infer<typeof fileVersion>
export type FileData = z.infer<typeof fileData>

/** All but version 0, which has no data, newest first; the list's own order and gaps mean nothing. */
export const realVersions = (of: VrchatFile): readonly FileVersion[] =>
  of.versions
    .filter(({ version, deleted }) => version > 0 && deleted !== true)
    .toSorted((a, b) => b.version - a.version)

export const newestComplete = (of: VrchatFile): FileVersion | undefined =>
  realVersions(of).find(({ status }) => status === 'complete')

/** Unfinished versions above the newest complete one, newest first: what blocks the next one. */
export const unfinished = (of: VrchatFile): readonly FileVersion[] => {
  const versions = realVersions(of)
  const complete = versions.findIndex(({ status }) => status === 'complete')
  return complete === -1 ? versions : versions.slice(0, complete)
}

export const versionOf = (of: VrchatFile, number: number): FileVersion | undefined =>
  realVersions(of).find(({ version }) => version === number)

/** The highest number ever seen in the list; numbers only grow. */
export const highestNumber = (of: VrchatFile): number =>
  Math.max(0, ...of.versions.map(({ version }) => version))

/** Whether a version was declared with these very values. */
export const declaredAs = (version: FileVersion, values: Declared): boolean =>
  version.file?.md5 === values.fileMd5 &&
  version.file.sizeInBytes === values.fileSizeInBytes &&
  version.signature?.md5 === values.signatureMd5 &&
  version.signature.sizeInBytes === values.signatureSizeInBytes

export const base64Of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')

export const hexOf = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')
