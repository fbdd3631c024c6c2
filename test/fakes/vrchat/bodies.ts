import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerEntry } from './ledger.ts'
import { plainRefusal } from './replies.ts'

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

const JSON_LIMIT = 1024 * 1024

/** Undefined for an empty body. */
export async function readJson(request: IncomingMessage, entry: LedgerEntry): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of countedBody(request, entry)) {
    if (entry.bytes <= JSON_LIMIT) chunks.push(chunk)
  }
  if (entry.bytes > JSON_LIMIT) throw plainRefusal(413, 'request entity too large')
  if (entry.bytes === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw plainRefusal(400, 'Unexpected token in JSON')
  }
}
