import type { Sending } from '../test/support/programs/fake.ts'
import type { Evidence } from './evidence.ts'
import type { Finding } from './finding.ts'
import { LIMITS, PART_SIZE } from './plan.ts'

export interface Waste {
  /** Bytes of parts that came beyond those that were needed. */
  readonly bytes: number
  /** At most so many of them came with a request that was hit by a fault. */
  readonly byFaults: number
  /** Of the rest. */
  readonly perKill: number
  /** What may be under way at once, over all accounts. */
  readonly bound: number
}

/** I4: what was sent beyond what arrived, part by part. */
export function wasteOf({ accepted, uploads, testimony: { totals, sendings }, kills }: Evidence): Waste {
  const arrived = uploads.flatMap(({ version }) => version ?? [])
  const needed = totals.blobs.filter(({ fileId, version }) =>
    arrived.some(({ remoteId, number }) => remoteId === fileId && number === version),
  )
  const parts = Map.groupBy(sendings, ({ fileId, version, fileType, partNumber }) =>
    [fileId, version, fileType, partNumber].join(' '),
  )
  const wasted = [...parts.values()].map((sent) => {
    const bytes = sumOf(sent) - neededOf(sent[0], needed)
    return { bytes, byFaults: Math.min(bytes, sumOf(sent.filter(isSpoilt))) }
  })
  const [bytes, byFaults] = [sumOf(wasted), wasted.reduce((sum, { byFaults }) => sum + byFaults, 0)]
  const accounts = new Set(accepted.map(({ planned }) => planned.account)).size
  return {
    bytes,
    byFaults,
    perKill: Math.round((bytes - byFaults) / Math.max(1, kills.length)),
    bound: kills.length === 0 ? 0 : accounts * LIMITS.partsAtOnce * PART_SIZE,
  }
}

/** A late answer is one all the same. */
const isSpoilt = ({ fault }: Sending): boolean => fault !== undefined && fault !== 'delay'

/** Bytes of the part, if its version is there in the end. Signatures here are too small to be cut. */
function neededOf(sending: Sending | undefined, needed: Evidence['testimony']['totals']['blobs']): number {
  const blob = needed.find(
    ({ fileId, version, fileType }) =>
      fileId === sending?.fileId && version === sending.version && fileType === sending.fileType,
  )
  if (blob === undefined || sending === undefined) return 0
  return Math.min(PART_SIZE, blob.declaredSize - (sending.partNumber - 1) * PART_SIZE)
}

const sumOf = (items: readonly { readonly bytes: number }[]): number =>
  items.reduce((sum, { bytes }) => sum + bytes, 0)

/** More than was under way when something died, for each kill. */
export const wasteFindings = ({ perKill, bound }: Waste): Finding[] =>
  perKill <= bound ? [] : [{ what: `${perKill} bytes were sent in vain for each kill, more than ${bound}` }]
