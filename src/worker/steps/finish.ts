import { StartOver } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import { sameFingerprint } from '#shared/sources/fingerprint.ts'
import { firstMissing } from './transfer.ts'
import { sessionOf } from './step.ts'
import type { Step, StepDeps } from './step.ts'

/** Completes one blob, once every part of it has its receipt; then comes the next blob, or the reading back. */
export function createFinish({ uploads, parts, contents }: StepDeps): Step {
  return async (record, { provider, account, signal }) => {
    const session = sessionOf(record)
    const blob = session.blobs[record.blob]
    if (blob === undefined) throw new Error(`${record.id} has no blob ${record.blob}`)
    const saved = await parts.receipts(record, blob.name)
    const total = partCount(blob)
    // Jobs can be removed by hand; never finish a file with holes in it.
    if (firstMissing(saved, total, 1).length > 0) {
      return uploads.transition(record, { state: 'transferring' })
    }
    const now = await contents.fingerprint(record)
    if (record.fingerprint === undefined || !sameFingerprint(now, record.fingerprint)) {
      throw new StartOver('source-changed', 'The source changed while it was being sent')
    }

    const receipts = [...saved].toSorted(([a], [b]) => a - b).map(([, { etag }]) => ({ etag }))
    await provider.finish(account, session, { blob, receipts }, signal)

    return record.blob + 1 < session.blobs.length
      ? uploads.transition(record, { state: 'transferring', blob: record.blob + 1 })
      : uploads.transition(record, { state: 'confirming' }, { stamp: ['confirmSince'] })
  }
}
