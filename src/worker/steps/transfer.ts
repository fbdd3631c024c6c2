import { Blamed } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { Blob } from '#shared/providers/provider.ts'
import { forgetCompletedParts } from '#shared/queues.ts'
import type { SavedReceipt } from '#shared/records/parts.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { sessionOf } from './step.ts'
import type { Moved, Step, StepContext, StepDeps } from './step.ts'

/** Up to so many bytes, to hang a part under the upload's job and be woken by it costs more than to send it. */
const SMALL = 1024 * 1024

/**
 * Hangs the first missing parts of the current blob under the upload's job; each adds the next by itself. The only
 * part of a small blob is sent at once.
 */
export function createTransfer(deps: StepDeps): Step {
  const { uploads, parts, queues } = deps
  return async (record, context) => {
    const blob = sessionOf(record).blobs[record.blob]
    if (blob === undefined) throw new Error(`${record.id} has no blob ${record.blob}`)
    const total = partCount(blob)
    const [receipts, hasJobs] = await Promise.all([
      parts.receipts(record, blob.name),
      parts.hasChain(record, blob.name),
    ])
    if (receipts.size >= total) return uploads.transition(record, { state: 'finishing' })
    if (total === 1 && blob.size <= SMALL && !hasJobs) {
      const receipt = await sendHere(deps, record, blob, context)
      if (receipt !== undefined) return saveOnly(deps, record, blob, receipt)
    }
    const upTo = lastOfChain(blob, receipts.size)
    const numbers = firstMissing(receipts, upTo, Math.min(blob.parallel, context.limits.partsAtOnce))
    await parts.openChain(record, blob.name, (numbers.at(-1) ?? upTo) + 1)
    await forgetCompletedParts(queues, record, { blob: blob.name, numbers })
    await queues.addParts(record, { blob: blob.name, total, numbers })
    return 'wait'
  }
}

/**
 * `undefined` when this process sends enough already, or when it is the part's own fault that it was not taken: then a
 * job of its own goes on, as often as parts may.
 */
async function sendHere(
  { sender }: StepDeps,
  record: UploadRecord,
  blob: Blob,
  { account, limits, signal, running }: StepContext,
): Promise<SavedReceipt | undefined> {
  try {
    const sending = { record, access: account, limits, session: sessionOf(record), blob, number: 1 }
    return await sender.sendNow(sending, { ...running, signal })
  } catch (error) {
    if (error instanceof Blamed) return undefined
    throw error
  }
}

async function saveOnly(
  { uploads, parts }: StepDeps,
  record: UploadRecord,
  { name }: Blob,
  receipt: SavedReceipt,
): Promise<Moved> {
  const part = { upload: record.id, epoch: record.epoch, blob: name, number: 1 }
  const saved = await parts.save(part, 1, receipt)
  return saved === 'stale' ? 'again' : uploads.transition(record, { state: 'finishing' })
}

/** Up to which part may be sent when so many have their receipts: one that completes the blob waits for the others. */
function lastOfChain(blob: Blob, received: number): number {
  const total = partCount(blob)
  return blob.lastAfterOthers && received < total - 1 ? total - 1 : total
}

/** The first `most` of the numbers 1 to `total` that have no receipt. */
export function firstMissing(receipts: ReadonlyMap<number, unknown>, total: number, most: number): number[] {
  const missing: number[] = []
  for (let number = 1; number <= total && missing.length < most; number += 1) {
    if (!receipts.has(number)) missing.push(number)
  }
  return missing
}
