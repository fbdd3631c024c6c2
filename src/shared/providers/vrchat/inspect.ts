import type { Inspection, UploadView } from '../provider.ts'
import { ledgerVersion } from './confirm.ts'
import { knownFileId, noSuchFile, readFile } from './create-file.ts'
import type { Work } from './deps.ts'
import { base64Of, newestComplete, unfinished, type FileVersion, type VrchatFile } from './files.ts'
import type { UploadRequest } from './request.ts'

/** What is at the destination now. Only its newest complete version counts: older ones are history. */
export const inspectFile = async (
  work: Work,
  request: UploadRequest,
  upload: UploadView,
): Promise<Inspection> => {
  const id = knownFileId(request, upload)
  if (id === undefined) return { kind: 'absent' }
  const file = await readFile(work, id)
  if (file === undefined && id === request.destination.fileId) throw noSuchFile(id)
  const current = file && newestComplete(file)
  if (file === undefined || current === undefined) return { kind: 'absent' }
  if (request.onUnchanged === 'upload' || !isUnchanged(file, current, upload)) return { kind: 'changed' }
  return { kind: 'unchanged', version: ledgerVersion(file, current, work.now()) }
}

const isUnchanged = (
  file: VrchatFile,
  current: FileVersion,
  { hashes, size, unchangedSince }: UploadView,
): boolean => {
  if (hashes !== undefined)
    return current.file?.md5 === base64Of(hashes.md5) && current.file.sizeInBytes === size
  if (unchangedSince === undefined || unchangedSince.remoteId !== file.id) return false
  // Somebody may be about to replace it; then the hashes have to decide.
  return unchangedSince.number === current.version && unfinished(file).length === 0
}
