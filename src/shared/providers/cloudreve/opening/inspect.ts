import { FatalError } from '#shared/errors.ts'
import type { Inspection, Kept, UploadView, Version } from '../../provider.ts'
import { info } from '../site/api.ts'
import { versionOf } from '../confirm.ts'
import type { Work } from '../deps.ts'
import type { UploadRequest } from '../request.ts'
import { isFolder, uploadMarker, type FileInfo } from '../site/shapes.ts'
import { resolveUri } from '../site/uri.ts'

/** What is at the destination now. Placeholders of unfinished uploads are no files yet. */
export const inspectFile = async (
  work: Work,
  request: UploadRequest,
  upload: UploadView,
): Promise<Inspection> => {
  const uri = resolveUri(request.destination.uri, upload.fileName)
  // Only who wanted another name then and wants one now is content with what has another name.
  const elsewhere =
    request.destination.onConflict === 'rename' ? unchangedElsewhere(work, uri, upload) : undefined
  const [found, renamed] = await Promise.all([lookAt(work, uri), elsewhere])
  if (renamed !== undefined && request.onUnchanged === 'skip') return { kind: 'unchanged', version: renamed }
  if (found === undefined) return { kind: 'absent' }
  const file = realFile(found)
  if (file === undefined) return { kind: 'changed' }
  const isWhole = uploadMarker(file) === undefined
  if (isWhole && request.onUnchanged === 'skip' && isUnchanged(file, upload)) {
    return { kind: 'unchanged', version: versionOf(uri, file, upload, work.now()) }
  }
  return byConflict(work, request, { uri, file })
}

/** A placeholder is no file; a file stays one while somebody uploads a version of it. */
export const realFile = (file: FileInfo | undefined): FileInfo | undefined =>
  file !== undefined && uploadMarker(file) !== undefined && file.size === 0 ? undefined : file

/** Another content is there: a version on top of it and another name are for `prepare`, the rest ends here. */
export const byConflict = (
  work: Pick<Work, 'now'>,
  { destination: { onConflict } }: UploadRequest,
  { uri, file }: { readonly uri: string; readonly file: FileInfo },
): Kept | { readonly kind: 'changed' } => {
  if (onConflict === 'fail') {
    throw new FatalError('conflict', `${uri} exists already, and onConflict says: fail`)
  }
  if (onConflict !== 'skip') return { kind: 'changed' }
  const version = versionOf(uri, file, {}, work.now())
  return { kind: 'kept', version, note: `${uri} exists already and was left as it is` }
}

/** Reads the place, and remembers for a moment what it saw: who prepares next asks the same. */
const lookAt = async (work: Work, uri: string): Promise<FileInfo | undefined> => {
  const file = await info(work.api, uri)
  if (file !== undefined && isFolder(file)) throw isAFolder(uri)
  seen.set(work.account, { uri, file, at: performance.now() })
  return file
}

/** Where it really went, if it had to take another name because of what was there. */
const unchangedElsewhere = async (
  { api, now }: Work,
  uri: string,
  upload: UploadView,
): Promise<Version | undefined> => {
  const { unchangedSince: last } = upload
  if (last === undefined || last.remoteId === uri) return undefined
  const file = await info(api, last.remoteId)
  if (file === undefined || uploadMarker(file) !== undefined || !isUnchanged(file, upload)) return undefined
  return versionOf(last.remoteId, file, upload, now())
}

const isUnchanged = (file: FileInfo, { size, modifiedAt, unchangedSince }: UploadView): boolean => {
  if (file.size !== size) return false
  if (unchangedSince !== undefined && unchangedSince.number === file.primary_entity) return true
  return modifiedAt !== undefined && isSameTime(Date.parse(file.updated_at), modifiedAt)
}

/** Some databases keep whole seconds only. */
const isSameTime = (kept: number, modifiedAt: number): boolean =>
  kept === modifiedAt || (kept % 1000 === 0 && Math.abs(kept - modifiedAt) < 1000)

const isAFolder = (uri: string): FatalError =>
  new FatalError('conflict', `${uri} is a folder: end destination.uri with / to upload into it`)

interface Seen {
  readonly uri: string
  readonly file: FileInfo | undefined
  readonly at: number
}

const seen = new WeakMap<Work['account'], Seen>()

/** How long what was seen may be built on: whoever is wrong is told by the site when the session is made. */
const SEEN_MS = 5_000

/** The place as `inspect` saw it just now, once; else as it is. */
export const placeNow = async (work: Work, uri: string): Promise<FileInfo | undefined> => {
  const last = seen.get(work.account)
  seen.delete(work.account)
  if (last?.uri === uri && performance.now() - last.at < SEEN_MS) return last.file
  const file = await info(work.api, uri)
  if (file !== undefined && isFolder(file)) throw isAFolder(uri)
  return file
}
