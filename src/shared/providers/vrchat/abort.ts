import type { StillOurs } from '../provider.ts'
import { Refusal } from './answers.ts'
import { deleteFile, deleteFileVersion } from './api.ts'
import { findLostFile, readFile, undefinedIf404 } from './create-file.ts'
import { findLostVersion } from './create-version.ts'
import { lookFor, type Work } from './deps.ts'
import { realVersions, versionOf, type VrchatFile } from './files.ts'
import { orphanNote } from './orphan.ts'
import type { Draft, SessionState } from './session.ts'

interface Place {
  readonly fileId: string
  /** Made by this upload, so it may go as a whole. */
  readonly created: boolean
}

interface Leftover extends Place {
  readonly version: number | undefined
}

/**
 * Removes the upload's unfinished version, and its File if this upload made it and nothing else is in it.
 * What is complete stays, and so does whatever somebody else put there. Answers what may be left behind: Files
 * whose creation had no answer, and that can not be told from others.
 */
export const removeLeftovers = async (
  work: Work,
  left: Draft | SessionState,
  stillOurs: StillOurs,
): Promise<string | undefined> => {
  // A session's note was handed over with it.
  if (left.kind === 'session') {
    await removeWhatMayGo(work, left, stillOurs)
    return undefined
  }
  const place = await placeOf(work, left)
  if (place !== undefined) {
    const lost = left.creatingVersion && (await findLostVersion(work, place.fileId, left.creatingVersion))
    await removeWhatMayGo(work, { ...place, version: lost?.version }, stillOurs)
  }
  return noteOf([left.possibleOrphan, place === undefined ? left.creatingFile : undefined])
}

const noteOf = (orphans: readonly Draft['possibleOrphan'][]): string | undefined => {
  const notes = orphans.filter((one) => one !== undefined).map(orphanNote)
  return notes.length === 0 ? undefined : notes.join('. ')
}

const removeWhatMayGo = async (work: Work, leftover: Leftover, stillOurs: StillOurs): Promise<void> => {
  const file = await fileWith(work, leftover)
  const what = file && removable(file, leftover)
  if (file === undefined || what === undefined || !(await stillOurs())) return
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

/** Where an upload that was still opening goes, or went when its answer was lost. */
const placeOf = async (work: Work, { fileId, created, creatingFile }: Draft): Promise<Place | undefined> => {
  if (fileId !== undefined) return { fileId, created }
  const lost = creatingFile && (await findLostFile(work, creatingFile))
  return lost && { fileId: lost.id, created: true }
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
