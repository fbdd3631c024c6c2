import type { IncomingMessage } from 'node:http'
import { readSmall } from '../http/bodies.ts'
import type { LedgerEntry } from './ledger.ts'
import { plainRefusal } from './replies.ts'

/** Undefined for an empty body. */
export async function readJson(request: IncomingMessage, entry: LedgerEntry): Promise<unknown> {
  const bytes = await readSmall(request, entry)
  if (bytes === undefined) throw plainRefusal(413, 'request entity too large')
  if (bytes.length === 0) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw plainRefusal(400, 'Unexpected token in JSON')
  }
}
