import { FatalError, TryLater } from '#shared/errors.ts'
import { lockOwners } from '../site/locks.ts'
import { assertOurs, type Opening } from './opening.ts'
import { isLateOfOurs, removeSession } from './placeholder.ts'
import type { Draft } from '../session.ts'
import { uploadMarker, type FileInfo } from '../site/shapes.ts'

// Looked at again meanwhile: whoever is sending may be done long before the wait is over.
const LOOK_AGAIN_MS = 5 * 60_000
const LOCK_POLL_MS = 15_000

interface Blocked {
  readonly uri: string
  /** As the site shows it now. */
  readonly file: FileInfo | undefined
  readonly draft: Draft
  /** The site's refusal: somebody holds the lock. */
  readonly refusal: unknown
}

/**
 * Makes way where another upload is under way, as the account's `onForeign` has it: it may be someone's running one,
 * so it is left alone until it is `foreignWaitMs` old. Returns when it was removed; throws `TryLater` to wait.
 */
export const clearTheWay = async (opening: Opening, blocked: Blocked): Promise<void> => {
  const { uri, file } = blocked
  const marker = file && uploadMarker(file)
  if (marker === undefined || file === undefined) return waitForLock(opening, blocked)
  if (!isLateOfOurs(file, blocked.draft, uri)) await waitForStranger(opening, blocked, marker)
  await assertOurs(opening.stillOurs)
  return removeSession(opening, { uri, sessionId: marker })
}

/** Locked by something that is no upload: only who holds the lock can end that. */
const waitForLock = async (opening: Opening, blocked: Blocked): Promise<never> => {
  const what = `${blocked.uri} is locked${byWhom(blocked.refusal)}`
  const left = await timeLeft(opening, blocked, { what, who: 'lock' })
  if (left <= 0) throw new FatalError('conflict', `${what} for longer than foreignWaitMs allows`)
  throw leftAlone(opening, what, Math.min(left, LOCK_POLL_MS))
}

/** Returns when the stranger's upload may go. */
const waitForStranger = async (opening: Opening, blocked: Blocked, session: string): Promise<void> => {
  const what = `another upload to ${blocked.uri} is under way`
  const left = await timeLeft(opening, blocked, { what, who: session })
  if (opening.settings.onForeign === 'delete' || left <= 0) return
  throw leftAlone(opening, what, Math.min(left, LOOK_AGAIN_MS))
}

const leftAlone = ({ settings }: Opening, what: string, delayMs: number): TryLater => {
  const minutes = String(Math.round(settings.foreignWaitMs / 60_000))
  const how = `it is left alone until it is ${minutes} minutes old (account settings onForeign, foreignWaitMs)`
  return new TryLater(`${what}; ${how}`, delayMs)
}

/** How long it is still to be left alone, in ms; when it was seen first is kept, by the clock that all hosts share. */
const timeLeft = async (
  { settings, now, serverAhead, save }: Opening,
  { draft, file }: Blocked,
  { what, who: session }: { readonly what: string; readonly who: string },
): Promise<number> => {
  if (settings.onForeign === 'fail') {
    throw new FatalError('foreign-version', `${what}; onForeign says: fail`)
  }
  const siteNow = now() + serverAhead()
  const seen = draft.foreign?.session === session ? draft.foreign.seen : siteNow
  if (draft.foreign?.session !== session) await save({ ...draft, foreign: { session, seen } })
  // A placeholder was made with its session; a file that gets a new version may be as old as it likes.
  const made = file?.size === 0 && session !== 'lock' ? Date.parse(file.created_at) : seen
  return Math.min(seen, Number.isNaN(made) ? seen : made) + settings.foreignWaitMs - siteNow
}

const byWhom = (refusal: unknown): string => {
  const owners = lockOwners(refusal)
  return owners.length === 0 ? '' : ` by ${owners.join(', ')}`
}
