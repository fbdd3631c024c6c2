import type { FaultAction } from './faults.ts'

/** What a `store-…` fault makes of the bytes between the wire and the disk; `length` is what was announced. */
export function alteration(
  fault: FaultAction | undefined,
  length: number,
): (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer> {
  if (fault?.kind === 'store-short') return (source) => shortened(source, length - 1)
  if (fault?.kind === 'store-flipped') return flipped
  return (source) => source
}

async function* shortened(source: AsyncIterable<Buffer>, limit: number): AsyncGenerator<Buffer> {
  let left = limit
  for await (const chunk of source) {
    const kept = chunk.subarray(0, Math.max(left, 0))
    left -= chunk.length
    yield kept
  }
}

async function* flipped(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let first = true
  for await (const chunk of source) {
    if (first) chunk[0] = (chunk[0] ?? 0) ^ 1
    first = false
    yield chunk
  }
}

/** The ETag as the fault has it, for the true `md5` in hex; undefined for none. */
export function etagHeader(md5: string, fault: FaultAction | undefined): string | undefined {
  if (fault?.kind === 'no-etag') return undefined
  if (fault?.kind === 'weak-etag') return `W/"${md5}"`
  if (fault?.kind === 'wrong-etag') return `"${'0123456789abcdef'.repeat(2)}"`
  if (fault?.kind === 'odd-etag') return fault.value.replaceAll('%md5%', md5)
  return `"${md5}"`
}
