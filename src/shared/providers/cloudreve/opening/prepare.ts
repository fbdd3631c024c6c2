import { FatalError, messageOf } from '#shared/errors.ts'
import { lostExchange, neverSent } from '#shared/http/failure.ts'
import type { Kept, Session } from '../../provider.ts'
import { createSession } from '../site/api.ts'
import { codes, isRefusedWith, SiteTrouble } from '../site/codes.ts'
import { clearTheWay } from './foreign.ts'
import { byConflict, placeNow, realFile } from './inspect.ts'
import { assertOurs, type Opening } from './opening.ts'
import { findLostSession, remakeEmpty, removeSession } from './placeholder.ts'
import { draft as draftSchema, type Draft } from '../session.ts'
import { emptySession, openedSession } from './opened.ts'
import { creatingOf, requestOf } from './session-request.ts'
import type { FileInfo } from '../site/shapes.ts'
import { nameOf, resolveUri, withName } from '../site/uri.ts'

// Somebody may put something in our way between looking and asking; not for ever.
const MOST_ROUNDS = 5
const MOST_NAMES = 100
const EXISTS = [codes.objectExists]
// Where no file was, one that came meanwhile is no newer version of anything.
const TAKEN = [...EXISTS, codes.staleVersion]
const LOCKED = [codes.locked, codes.conflictingUpload]

/**
 * Opens the upload session: what a lost answer left is removed, a real conflict follows `onConflict`, and a version
 * goes only on top of what was looked at.
 */
export const openSession = async (opening: Opening, saved: unknown): Promise<Session | Kept> => {
  const draft = await settled(opening, saved === undefined ? newDraft() : draftSchema.parse(saved))
  for (let round = 1; ; round += 1) {
    const { uri, file } = await placeFor(opening)
    const real = realFile(file)
    const kept = real && byConflict(opening, opening.request, { uri, file: real })
    if (kept?.kind === 'kept') return kept
    const opened = await tryOpen(opening, { uri, file, draft })
    if (!('blockedBy' in opened)) return opened
    if (round === MOST_ROUNDS) throw takenAgain(uri, opened.blockedBy)
  }
}

const takenAgain = (uri: string, refusal: unknown): FatalError =>
  new FatalError('conflict', `${uri} is taken again and again: ${messageOf(refusal)}`, { cause: refusal })

const newDraft = (): Draft => ({ v: 1, kind: 'draft' })

/** Where it goes, and what is there; with `rename` the first name that nothing has, not even an unfinished upload. */
const placeFor = async (opening: Opening): Promise<Omit<Place, 'draft'>> => {
  const { uri: given, onConflict } = opening.request.destination
  const wanted = resolveUri(given, opening.upload.fileName)
  let uri = wanted
  for (let number = 0; number <= MOST_NAMES; number += 1) {
    if (number > 0) uri = numbered(wanted, number)
    const file = await placeNow(opening, uri)
    if (file === undefined || onConflict !== 'rename') return { uri, file }
  }
  throw new FatalError('conflict', `${wanted} and its first ${String(MOST_NAMES)} other names exist already`)
}

/** `name (1).ext` for `name.ext`. */
const numbered = (uri: string, number: number): string => {
  const name = nameOf(uri)
  const dot = name.lastIndexOf('.')
  const stem = dot <= 0 ? name : name.slice(0, dot)
  return withName(uri, `${stem} (${String(number)})${name.slice(stem.length)}`)
}

/** Without what an earlier request made whose answer nobody saw. */
const settled = async (opening: Opening, draft: Draft): Promise<Draft> => {
  const { creating, ...rest } = draft
  if (creating === undefined) return draft
  const { uri, since, wasEmpty } = creating
  const sessionId = await findLostSession(opening, creating)
  if (sessionId === undefined) await remakeEmpty(opening, creating)
  else {
    await assertOurs(opening.stillOurs)
    await removeSession(opening, { uri, sessionId, wasEmpty })
  }
  const next = sessionId === undefined ? { ...rest, late: { uri, since } } : rest
  await opening.save(next)
  return next
}

interface Place {
  readonly uri: string
  readonly file: FileInfo | undefined
  readonly draft: Draft
}

/** Something is in the way now, and the place has to be looked at again. */
interface Blocked {
  readonly blockedBy: unknown
}

const tryOpen = async (opening: Opening, place: Place): Promise<Session | Blocked> => {
  const { uri, file, draft } = place
  if (opening.upload.size === 0) return emptySession(opening, uri, file)
  const creating = creatingOf(opening, uri, file)
  const request = await requestOf(opening, uri, file)
  await opening.save({ ...draft, creating })
  const asked = createSession(opening.api, request)
  const made = await asked.catch(async (error: unknown) => refused(opening, place, error))
  // Whatever fails from here on, the draft says that there is a session.
  return 'blockedBy' in made ? made : openedSession(opening, made, creating)
}

/** What a creation without success means. */
const refused = async (opening: Opening, place: Place, error: unknown): Promise<Blocked> => {
  opening.signal.throwIfAborted()
  if (mayHaveMade(error)) throw error
  const { uri, file, draft } = place
  await opening.save(draft)
  if (isRefusedWith(error, LOCKED)) {
    await clearTheWay(opening, { ...place, file: await placeNow(opening, uri), refusal: error })
    return { blockedBy: error }
  }
  if (isRefusedWith(error, realFile(file) === undefined ? TAKEN : EXISTS)) return { blockedBy: error }
  throw error
}

/**
 * After a lost answer nobody knows, and what was made can only be seen. A site in trouble does not always get to remove
 * what it had made when it failed.
 */
const mayHaveMade = (error: unknown): boolean => {
  if (error instanceof SiteTrouble) return true
  const lost = lostExchange(error)
  return lost !== undefined && !neverSent(lost)
}
