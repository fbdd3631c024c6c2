import { FatalError, StartOver, type Unreachable } from '#shared/errors.ts'
import { lostExchange, neverSent } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import { pause } from '#shared/pause.ts'
import type { Work } from '../deps.ts'
import type { SessionState } from '../session.ts'
import { standingOf } from '../standing.ts'

/**
 * Returns when the site shows the file complete after all. Else throws `error`, which says what was refused or has no
 * answer, or `StartOver` when the session is gone.
 */
export const unlessComplete = async (work: Work, state: SessionState, error: Error): Promise<void> => {
  const { timing, signal } = work
  signal.throwIfAborted()
  const first = await standingOf(work, state)
  const isDoomed = first.kind === 'open' && error instanceof StartOver
  // What ended it may be at work still, and all bytes would be sent again.
  if (isDoomed) await pause(timing.settleMs, signal)
  const { kind, why } = isDoomed ? await standingOf(work, state) : first
  if (kind === 'complete') return
  if (kind === 'open' || error instanceof StartOver) throw error
  throw new StartOver('session-lost', `${error.message}, and ${why}`, { cause: error })
}

/** The exchange that has no answer and yet may have been seen by the other side; `undefined` for other failures. */
export const mayHaveArrived = (error: unknown): Unreachable | undefined => {
  const lost = lostExchange(error)
  return lost === undefined || neverSent(lost) ? undefined : lost
}

/** The session does not exist any more, says `why`. */
export const sessionLost = (why: string): StartOver => new StartOver('session-lost', why)

/**
 * A store has the file, and says that its call of the site failed: nobody else can tell it. A refusal of the site is
 * the session's end; a site that was not reached will not be reached the next time.
 */
export const siteNotTold = (what: string, { status, text }: HttpAnswer): FatalError | StartOver => {
  const message = `${what} → ${String(status)}: the store has the file, but could not tell the site of it`
  if (REFUSED_BY_SITE.test(text)) return sessionLost(`${message}, which refused to hear it`)
  const todo =
    "set the site's own address (siteURL) in the settings of Cloudreve to one that the store can reach"
  return new FatalError('refused', `${message}; ${todo}, then retry the upload`)
}

/** OSS: `Error status : 400.`; Qiniu: `"err_code":400`. The site refuses its callbacks with these two. */
const REFUSED_BY_SITE = /(status|err_code|callback failed)\W{1,6}40[01]\b/i
