import type { Blob, Session } from '../provider.ts'
import { openFile } from './create-file.ts'
import { openVersion } from './create-version.ts'
import type { FileData, FileVersion, VrchatFile } from './files.ts'
import type { Opening } from './opening.ts'
import { orphanNote } from './orphan.ts'
import { planParts } from './plan.ts'
import { draft as draftSchema, type Draft, type SessionState } from './session.ts'

// Storage takes parts in any order and number; how many really run is the account's limit.
const PARALLEL = 64

/** Opens the remote upload: the File, the way to its next version, and that version. */
export const openSession = async (opening: Opening, saved: unknown): Promise<Session> => {
  const known = saved === undefined ? newDraft() : draftSchema.parse(saved)
  const { file, draft } = await openFile(opening, known)
  const version = await openVersion(opening, file, draft)
  return sessionOf(opening, { file, version, draft })
}

const newDraft = (): Draft => ({ v: 1, kind: 'draft', created: false })

const sessionOf = (
  opening: Opening,
  {
    file,
    version,
    draft,
  }: { readonly file: VrchatFile; readonly version: FileVersion; readonly draft: Draft },
): Session => {
  const { partSize, signaturePartSize } = planParts(
    opening.request,
    opening.upload.size,
    opening.settings.minPartSize,
  )
  const state = stateOf(file, version, draft)
  return {
    state,
    ...(draft.possibleOrphan && { note: orphanNote(draft.possibleOrphan) }),
    blobs: [
      blobOf(version.file, { name: 'file', content: 'source', partSize }),
      blobOf(version.signature, {
        name: 'signature',
        content: 'signature',
        partSize: signaturePartSize,
      }),
    ],
  }
}

const stateOf = (file: VrchatFile, version: FileVersion, draft: Draft): SessionState => ({
  v: 1,
  kind: 'session',
  fileId: file.id,
  version: version.version,
  created: draft.created,
  // Declared at the File's creation, maybe by someone else, and part of the signed upload.
  mimeType: file.mimeType,
  file: descriptorOf(version.file),
  signature: descriptorOf(version.signature),
})

const descriptorOf = (data: FileData | undefined): SessionState['file'] => ({
  category: data?.category ?? 'multipart',
  uploadId: data?.uploadId ?? '',
})

/** The server alone decides `simple` or not, for file and signature apart. */
const blobOf = (
  data: FileData | undefined,
  { name, content, partSize }: Pick<Blob, 'name' | 'content' | 'partSize'>,
): Blob => {
  const size = data?.sizeInBytes ?? 0
  const whole = data?.category === 'simple'
  return {
    name,
    content,
    size,
    partSize: whole ? Math.max(1, size) : partSize,
    parallel: whole ? 1 : PARALLEL,
  }
}
