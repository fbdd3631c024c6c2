import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerEntry } from './ledger.ts'

/** The request body, its length written into the ledger as it comes; throws when the client goes away. */
export async function* countedBody(
  request: IncomingMessage,
  entry: LedgerEntry,
  bytesPerSecond = Infinity,
): AsyncGenerator<Buffer> {
  const start = performance.now()
  // No encoding is ever set on the request, so its chunks are buffers.
  const chunks: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false })
  for await (const bytes of chunks) {
    entry.bytes += bytes.length
    const due = start + (entry.bytes / bytesPerSecond) * 1000
    const early = due - performance.now()
    if (early > 5) await sleep(early)
    yield bytes
  }
}

export async function drain(request: IncomingMessage, entry: LedgerEntry): Promise<void> {
  for await (const _ of countedBody(request, entry));
}

/** The whole body, undefined when there is more than `limit` bytes of it; all of it is read in any case. */
export async function readSmall(
  request: IncomingMessage,
  entry: LedgerEntry,
  limit = 1024 * 1024,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of countedBody(request, entry)) {
    if (entry.bytes <= limit) chunks.push(chunk)
  }
  return entry.bytes > limit ? undefined : Buffer.concat(chunks)
}
