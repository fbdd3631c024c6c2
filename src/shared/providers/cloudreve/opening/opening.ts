import { StartOver } from '#shared/errors.ts'
import type { OpeningUpload, StillOurs, UploadView } from '../../provider.ts'
import type { Work } from '../deps.ts'
import type { UploadRequest } from '../request.ts'
import type { Draft } from '../session.ts'

/** What opening an upload session works with. */
export interface Opening extends Work {
  readonly upload: UploadView
  readonly request: UploadRequest
  readonly save: (draft: Draft) => Promise<void>
  readonly saveTickets: OpeningUpload['saveTickets']
  readonly stillOurs: StillOurs
}

/** Removals are only for whoever owns the destination at this very moment. */
export const assertOurs = async (stillOurs: StillOurs): Promise<void> => {
  if (await stillOurs()) return
  throw new StartOver('session-lost', 'another run of this upload took over its destination')
}
