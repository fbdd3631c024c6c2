import type { ReadTickets, StillOurs } from '../provider.ts'
import type { Work } from './deps.ts'
import { findLostSession, remakeEmpty, removeSession } from './opening/placeholder.ts'
import type { Draft, SessionState } from './session.ts'
import { standingOf } from './standing.ts'
import { transports } from './transports/index.ts'

/**
 * Removes the unfinished upload session: its placeholder, the quota it reserved, and what its store holds, which the
 * site sees to. What is complete stays, and so does whatever somebody else put there.
 */
export const removeLeftovers = async (
  work: Work,
  { state, stillOurs, tickets }: Leftovers,
): Promise<undefined> => {
  const unfinished = state.kind === 'draft' ? await lostOf(work, state) : await openOf(work, state)
  if (!(await stillOurs())) return undefined
  if (unfinished === undefined) {
    const place = state.kind === 'draft' ? state.creating : state
    if (place !== undefined) await remakeEmpty(work, place)
    return undefined
  }
  if (state.kind === 'session' && state.transport !== 'empty') {
    await transports[state.transport].abandon?.(work, tickets)
  }
  await removeSession(work, unfinished)
  return undefined
}

interface Leftovers {
  readonly state: Draft | SessionState
  readonly stillOurs: StillOurs
  readonly tickets: ReadTickets
}

type Unfinished = Parameters<typeof removeSession>[1]

const lostOf = async (work: Work, { creating }: Draft): Promise<Unfinished | undefined> => {
  const sessionId = creating && (await findLostSession(work, creating))
  if (creating === undefined || sessionId === undefined) return undefined
  return { uri: creating.uri, sessionId, wasEmpty: creating.wasEmpty }
}

const openOf = async (work: Work, state: SessionState): Promise<Unfinished | undefined> => {
  if (state.transport === 'empty') return undefined
  return (await standingOf(work, state)).kind === 'open' ? state : undefined
}
