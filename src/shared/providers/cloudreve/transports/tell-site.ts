import { Blamed } from '#shared/errors.ts'
import { callback, type CallbackKind } from '../site/api.ts'
import { codes, siteCode, SiteTrouble } from '../site/codes.ts'
import type { Work } from '../deps.ts'
import { ticket, type SessionState } from '../session.ts'
import { ticketOf } from './store-tickets.ts'
import type { Completing } from './transport.ts'
import { mayHaveArrived, sessionLost, unlessComplete } from './uncertain.ts'

type Told = Pick<Completing, 'state' | 'tickets'>

interface Telling {
  readonly kind: CallbackKind
  readonly method: 'GET' | 'POST'
  /** Why the store may not have the whole: thrown if the site does not find it there. */
  readonly doubt?: Error | undefined
}

/** The session ended, by an earlier call or otherwise; or its placeholder, its lock or its object is not what it was. */
const OVER: ReadonlySet<number> = new Set([
  401,
  codes.sessionGone,
  codes.parentMissing,
  codes.conflictingUpload,
  codes.sizeDiffers,
  codes.locked,
  40075,
])

// Its database, and not what it looked for at its store.
const DATABASE_FAILED = 50001

/**
 * Tells the site that its store has all the bytes, more than once if it is in trouble. Returns when it shows the file
 * whole or says so; may be called twice. be:routers/controllers/callback.go@0bb0ab83
 */
export const tellSite = async (work: Work, { state, tickets }: Told, telling: Telling): Promise<void> => {
  const { kind, method, doubt } = telling
  const secret = await ticketOf(tickets, ticket.callback)
  try {
    await callback(work.api, { kind, method, sessionId: state.sessionId, secret })
  } catch (error) {
    work.signal.throwIfAborted()
    if (!(error instanceof SiteTrouble)) return settle(work, state, error)
    const blamed = new Blamed(error.message, 'part-failed', { cause: error })
    throw error.code === DATABASE_FAILED ? blamed : (doubt ?? blamed)
  }
}

/** Returns when the site has the file whole; else throws what the failure means. */
const settle = async (work: Work, state: SessionState, error: unknown): Promise<void> => {
  if (!(error instanceof Error)) throw error
  if (mayHaveArrived(error)) return unlessComplete(work, state, error)
  const code = siteCode(error)
  if (code === undefined || !OVER.has(code)) throw error
  return unlessComplete(work, state, sessionLost(error.message))
}
