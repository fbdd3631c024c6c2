import { FatalError, TryLater } from '#shared/errors.ts'
import { deleteFileVersion } from './api.ts'
import { readFile, undefinedIf404 } from './create-file.ts'
import { lookFor } from './deps.ts'
import { unfinished, versionOf, type FileVersion, type VrchatFile } from './files.ts'
import { assertOurs, type Opening } from './opening.ts'
import type { Draft } from './session.ts'

// Looked at again meanwhile: whoever is sending may be done long before the hour is over.
const LOOK_AGAIN_MS = 5 * 60_000

/**
 * Removes the unfinished versions that are not ours, newest first as VRChat wants it; each may be someone's
 * running upload, so it depends on the account's `onForeign` and on their age. Answers the File after that.
 */
export const clearTheWay = async (opening: Opening, file: VrchatFile, draft: Draft): Promise<VrchatFile> => {
  let current = file
  for (const version of unfinished(file)) {
    await assertMayGo(opening, version, draft)
    await assertOurs(opening.stillOurs)
    await deleteFileVersion(opening.api, file.id, version.version).catch(undefinedIf404)
    current = await withoutVersion(opening, current, version.version)
  }
  return current
}

const withoutVersion = async (opening: Opening, file: VrchatFile, number: number): Promise<VrchatFile> => {
  const after = await lookFor(opening, async () => {
    const now = await readFile(opening, file.id)
    return now !== undefined && versionOf(now, number) === undefined ? now : undefined
  })
  // Still shown after all these looks: creating the next version will tell.
  return after ?? file
}

const assertMayGo = async (opening: Opening, version: FileVersion, draft: Draft): Promise<void> => {
  const { onForeign, foreignWaitMs } = opening.settings
  const what = `version ${String(version.version)} (${version.status}) of the File is unfinished and not ours`
  if (onForeign === 'fail') throw new FatalError('foreign-version', `${what}; onForeign says: fail`)
  // Refused by the server: nobody is sending to it any more.
  if (onForeign === 'delete' || foreignWaitMs === 0 || version.status === 'error') return
  const now = opening.now()
  const seen = draft.foreign?.version === version.version ? draft.foreign.seen : now
  const made = Date.parse(version.created_at) - (opening.serverAhead() ?? 0)
  const left = (Number.isNaN(made) ? seen : made) + foreignWaitMs - now
  if (left <= 0) return
  await opening.save({ ...draft, foreign: { version: version.version, seen } })
  throw new TryLater(
    `${what}; it is left alone until it is ${String(Math.round(foreignWaitMs / 60_000))} minutes old`,
    Math.min(left, LOOK_AGAIN_MS),
  )
}
