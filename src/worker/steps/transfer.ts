import { partCount } from '#shared/providers/cut.ts'
import { sessionOf } from './step.ts'
import type { Step, StepDeps } from './step.ts'

/** Hangs the first missing parts of the current blob under the upload's job; each adds the next by itself. */
export function createTransfer({ uploads, parts, queues }: StepDeps): Step {
  return async (record, { partsAtOnce }) => {
    const blob = sessionOf(record).blobs[record.blob]
    if (blob === undefined) throw new Error(`${record.id} has no blob ${record.blob}`)
    const total = partCount(blob)
    const receipts = await parts.receipts(record, blob.name)
    if (receipts.size >= total) {
      await uploads.transition(record, { state: 'finishing' })
      return 'next'
    }
    const numbers = firstMissing(receipts, total, Math.min(blob.parallel, partsAtOnce))
    await parts.openChain(record, blob.name, (numbers.at(-1) ?? total) + 1)
    await queues.addParts(record, { blob: blob.name, total, numbers })
    return 'wait'
  }
}

/** The first `most` of the numbers 1 to `total` that have no receipt. */
export function firstMissing(receipts: ReadonlyMap<number, unknown>, total: number, most: number): number[] {
  const missing: number[] = []
  for (let number = 1; number <= total && missing.length < most; number += 1) {
    if (!receipts.has(number)) missing.push(number)
  }
  return missing
}
