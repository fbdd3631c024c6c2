import { AccountParked, FatalError, NeedsPerson, StartOver, TryLater } from '#shared/errors.ts'
import { lostExchange, neverSent } from '#shared/http/failure.ts'
import type { SaveDraft, StillOurs, UploadView } from '../provider.ts'
import type { Work } from './deps.ts'
import type { UploadRequest } from './request.ts'
import type { Draft } from './session.ts'

/** What opening a remote upload works with. */
export interface Opening extends Work {
  readonly upload: UploadView
  readonly request: UploadRequest
  readonly save: (draft: Draft, bound?: Parameters<SaveDraft>[1]) => Promise<void>
  readonly stillOurs: StillOurs
}

/** Removals are only for whoever owns the destination at this very moment. */
export const assertOurs = async (stillOurs: StillOurs): Promise<void> => {
  if (await stillOurs()) return
  throw new StartOver('session-lost', 'another run of this upload took over its destination')
}

/**
 * Whether a failed creation certainly made nothing. After lost connections and gateways' errors nobody
 * knows, and neither when such an answer asked for a pause. One that the governor did not let begin, or that
 * a 429 refused, made nothing.
 */
export const certainlyNotMade = (error: unknown): boolean => {
  const lost = lostExchange(error)
  if (lost !== undefined) return neverSent(lost)
  return [AccountParked, FatalError, NeedsPerson, TryLater].some((known) => error instanceof known)
}
