import { StartOver } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { sameFingerprint } from '#shared/sources/fingerprint.ts'
import { firstMissing } from './transfer.ts'
import { sessionOf, viewOf } from './step.ts'
import type { Step, StepContext, StepDeps } from './step.ts'

/** Completes one blob, once every part of it has its receipt; then comes the next blob, or the reading back. */
export function createFinish({ uploads, parts, tickets, contents }: StepDeps): Step {
  const toConfirm = async (record: UploadRecord): Promise<UploadRecord> =>
    uploads.transition(record, { state: 'confirming' }, { stamp: ['confirmSince'] })
  return async (record, context) => {
    const { provider, account, signal } = context
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
      if (await isCompleteAnyway(record, context)) return toConfirm(record)
      throw new StartOver('source-changed', 'The source changed while it was being sent')
    }

    const receipts = [...saved].toSorted(([a], [b]) => a - b).map(([, receipt]) => receipt)
    const finishing = { blob, receipts, tickets: tickets.reader(record) }
    await provider.finish(account, session, finishing, signal)

    return record.blob + 1 < session.blobs.length
      ? uploads.transition(record, { state: 'transferring', blob: record.blob + 1 })
      : toConfirm(record)
  }
}

/**
 * Some providers complete with the last part, and no part is taken of a changed source: what is whole by then is of the
 * source as it was. To start over would make it twice.
 */
async function isCompleteAnyway(
  record: UploadRecord,
  { provider, account, signal }: StepContext,
): Promise<boolean> {
  const session = sessionOf(record)
  if (record.blob + 1 < session.blobs.length) return false
  return (await provider.confirm(account, session, viewOf(record), signal)).kind === 'complete'
}
