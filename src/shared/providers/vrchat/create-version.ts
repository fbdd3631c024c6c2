import { FatalError, Unreachable } from '#shared/errors.ts'
import { originOf } from '#shared/http/failure.ts'
import { Refusal } from './answers.ts'
import { createFileVersion } from './api.ts'
import { clearTheWay } from './foreign.ts'
import { readFile } from './create-file.ts'
import { lookFor, type Work } from './deps.ts'
import {
  base64Of,
  declaredAs,
  highestNumber,
  realVersions,
  unfinished,
  type FileVersion,
  type VrchatFile,
} from './files.ts'
import { certainlyNotMade, type Opening } from './opening.ts'
import type { Declared, Draft } from './session.ts'

type CreatingVersion = NonNullable<Draft['creatingVersion']>

// A stranger may put another unfinished version in our way between clearing and creating; not for ever.
const MOST_ROUNDS = 3

/** The version to send to: made before and its answer lost, or made now. */
export const openVersion = async (opening: Opening, file: VrchatFile, draft: Draft): Promise<FileVersion> => {
  const { creatingVersion: lost } = draft
  const settled = lost === undefined ? undefined : await findLostVersion(opening, file.id, lost)
  if (settled !== undefined) return settled

  const values = declarationOf(opening)
  let current = file
  for (let round = 1; ; round++) {
    const clear = await clearTheWay(opening, current, draft)
    const made = await tryCreate(opening, clear, { draft, values })
    if (made.kind === 'made') return made.version
    if (round === MOST_ROUNDS) throw made.error
    current = made.file
  }
}

const declarationOf = ({ upload }: Opening): Declared => {
  const { hashes, size } = upload
  if (hashes?.signature === undefined)
    throw new FatalError('internal', 'a version needs MD5 and signature first')
  return {
    fileMd5: base64Of(hashes.md5),
    fileSizeInBytes: size,
    signatureMd5: base64Of(hashes.signature.md5),
    signatureSizeInBytes: hashes.signature.size,
  }
}

type Made =
  | { readonly kind: 'made'; readonly version: FileVersion }
  | { readonly kind: 'blocked'; readonly file: VrchatFile; readonly error: unknown }

const tryCreate = async (
  opening: Opening,
  file: VrchatFile,
  { draft, values }: { readonly draft: Draft; readonly values: Declared },
): Promise<Made> => {
  const creating = { ...values, after: highestNumber(file) }
  await opening.save({ ...draft, creatingVersion: creating })
  try {
    const version = oursIn(await createFileVersion(opening.api, file.id, values), creating)
    if (version !== undefined) return { kind: 'made', version }
    // A success that does not show the version yet is as good as a lost one.
    throw new Unreachable(originOf(opening.api.baseUrl), 'POST /file → an answer without the new version')
  } catch (error) {
    opening.signal.throwIfAborted()
    if (certainlyNotMade(error) && !(error instanceof Refusal)) {
      // With an earlier request whose outcome is unknown, if there was one: reads may lag behind it yet.
      await opening.save(draft)
      throw error
    }
    return lookBack(opening, file.id, { creating, error })
  }
}

/** What there is after a lost answer, or a refusal: ours after all, another one in the way, or neither. */
const lookBack = async (
  opening: Opening,
  fileId: string,
  { creating, error }: { readonly creating: CreatingVersion; readonly error: unknown },
): Promise<Made> => {
  const found = await lookFor(opening, async (): Promise<Made | undefined> => {
    const file = await readFile(opening, fileId)
    if (file === undefined) return undefined
    const version = oursIn(file, creating)
    if (version !== undefined) return { kind: 'made', version }
    return unfinished(file).length > 0 ? { kind: 'blocked', file, error } : undefined
  })
  if (found === undefined) throw error
  return found
}

/** The version of a creation whose answer was lost, if it was made: newer than all before, and declared as ours. */
export const findLostVersion = (
  work: Work,
  fileId: string,
  lost: CreatingVersion,
): Promise<FileVersion | undefined> =>
  lookFor(work, async () => {
    const file = await readFile(work, fileId)
    return file && oursIn(file, lost)
  })

const oursIn = (file: VrchatFile, creating: CreatingVersion): FileVersion | undefined =>
  realVersions(file).find(
    (version) =>
      version.version > creating.after && version.status === 'waiting' && declaredAs(version, creating),
  )
