import type { StillOurs } from '../provider.ts'
import { Refusal } from './answers.ts'
import { deleteFile, deleteFileVersion } from './api.ts'
import { findLostFile, readFile, undefinedIf404 } from './create-file.ts'
import { findLostVersion } from './create-version.ts'
import { lookFor, type Work } from './deps.ts'
import { realVersions, versionOf, type VrchatFile } from './files.ts'
import type { Draft, SessionState } from './session.ts'

interface Leftover {
  readonly fileId: string
  /** Made by this upload, so it may go as a whole. */
  readonly created: boolean
  readonly version: number | undefined
}

/**
 * Removes the upload's unfinished version, and its File if this upload made it and nothing else is in it.
 * What is complete stays, and so does whatever somebody else put there.
 */
export const removeLeftovers = async (
  work: Work,
  left: Draft | SessionState,
  stillOurs: StillOurs,
): Promise<void> => {
  const leftover = left.kind === 'session' ? left : await leftoverOf(work, left)
  const file = leftover && (await fileWith(work, leftover))
  if (leftover === undefined || file === undefined) return
  const what = removable(file, leftover)
  if (what === undefined || !(await stillOurs())) return
  await remove(work, file.id, what === 'file' ? undefined : what)
}

/** The number of our version, or the whole File; undefined when there is nothing that may go. */
const removable = (file: VrchatFile, { created, version }: Leftover): number | 'file' | undefined => {
  const versions = realVersions(file)
  const ours = versions.find((one) => one.version === version)
  if (ours?.status === 'complete') return undefined
  if (created && versions.every((one) => one === ours)) return 'file'
  // Only the newest version can go; one with another above it stays as it is.
  return ours === versions[0] ? ours?.version : undefined
}

const remove = async ({ api }: Work, fileId: string, version: number | undefined): Promise<void> => {
  if (version === undefined) await deleteFile(api, fileId).catch(undefinedIf404)
  else await deleteFileVersion(api, fileId, version).catch(undefinedIfNotThere)
}

/** What an upload that was still opening may have made, lost answers included. */
const leftoverOf = async (work: Work, draft: Draft): Promise<Leftover | undefined> => {
  const { creatingFile, creatingVersion } = draft
  const lost = draft.fileId === undefined && creatingFile ? await findLostFile(work, creatingFile) : undefined
  const fileId = draft.fileId ?? lost?.id
  if (fileId === undefined) return undefined
  const created = draft.created || lost !== undefined
  const version = creatingVersion && (await findLostVersion(work, fileId, creatingVersion))
  return { fileId, created, version: version?.version }
}

/** The File, shown with our version if that can be seen at all: a read may lag behind its creation. */
const fileWith = async (work: Work, { fileId, version }: Leftover): Promise<VrchatFile | undefined> => {
  let last: VrchatFile | undefined
  await lookFor(work, async () => {
    last = await readFile(work, fileId)
    if (last === undefined || version === undefined) return true
    return versionOf(last, version) === undefined ? undefined : true
  })
  return last
}

const undefinedIfNotThere = (error: unknown): undefined => {
  // Not the newest any more: somebody was faster, and it can not be removed now.
  if (error instanceof Refusal && error.status === 409) return undefined
  return undefinedIf404(error)
}
