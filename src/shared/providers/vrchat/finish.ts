import { lostExchange } from '#shared/http/failure.ts'
import type { Blob, Receipt } from '../provider.ts'
import { Refusal } from './answers.ts'
import { finishFileDataUpload } from './api.ts'
import { lookFor, type Work } from './deps.ts'
import { plainEtag } from './parts.ts'
import type { SessionState } from './session.ts'
import { assertSameUpload, dataId, isSimple, nameOf, standingOf } from './standing.ts'

/** Completes one blob. Any answer but success is settled by reading the File back. */
export const finishBlob = async (
  work: Work,
  state: SessionState,
  { blob, receipts }: { readonly blob: Blob; readonly receipts: readonly Receipt[] },
): Promise<void> => {
  // Equal parts have equal ETags, and each is listed.
  const etags = receipts.map(({ etag = '' }) => plainEtag(etag))
  const json = isSimple(state[nameOf(blob)]) ? {} : { etags }
  try {
    await finishFileDataUpload(work.api, dataId(state, blob), json)
  } catch (error) {
    work.signal.throwIfAborted()
    if (!(error instanceof Refusal) && lostExchange(error) === undefined) throw error
    const finished = await lookFor(work, async () => {
      const standing = await standingOf(work, state, blob)
      return standing === 'finished' ? standing : undefined
    })
    if (finished !== undefined) return
    if (error instanceof Refusal) await assertSameUpload(work, state, blob)
    throw error
  }
}
