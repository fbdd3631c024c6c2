import { AccountParked, FatalError, NeedsPerson, StartOver, TryLater, Unreachable } from '#shared/errors.ts'
import { neverSent } from '#shared/http/failure.ts'
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
 * knows, and neither when the governor turned one into a wait.
 */
export const certainlyNotMade = (error: unknown): boolean => {
  if (error instanceof Unreachable) return neverSent(error)
  if (error instanceof TryLater) return !(error.cause instanceof Unreachable) || neverSent(error.cause)
  return error instanceof AccountParked || error instanceof NeedsPerson || error instanceof FatalError
}
