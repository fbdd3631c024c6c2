import { countedBody, drain } from '../../http/bodies.ts'
import type { Outcome } from '../../http/exchange.ts'
import type { StoredPart } from '../../http/part-disk.ts'
import { Refusal, type Reply } from '../../http/replies.ts'
import { alteration } from '../../http/spoilt.ts'
import { chunkAt } from './chunks.ts'
import type { StoreExchange, StoreHost } from './host.ts'
import type { Shelf, Upload } from './shelf.ts'

/** What every part must be sent as. */
export const OCTETS = 'application/octet-stream'

type Process = (exchange: StoreExchange) => Promise<Outcome>

/**
 * Notes what is none of a store's business, and reads a refused body to its end: refused earlier, most clients would
 * see a reset, which is a fault of its own.
 */
export function attended(host: StoreHost, process: Process): Process {
  return async (exchange) => {
    noteStrangers(host, exchange)
    try {
      return await process(exchange)
    } catch (error) {
      const { request, entry } = exchange
      if (error instanceof Refusal && !request.readableEnded) await drain(request, entry)
      throw error
    }
  }
}

/** Never what is in the header: it may be a secret. */
function noteStrangers(host: StoreHost, exchange: StoreExchange): void {
  const { headers } = exchange.request
  for (const name of Object.keys(headers).filter((name) => name === 'cookie' || name.startsWith('x-cr-'))) {
    violation(host, exchange, `the header ${name} was sent to a store`)
  }
  // A JWT has three members; what master and slave exchange begins with `Bearer Cr `.
  if (/^Bearer [\w-]+\.[\w-]+\.[\w-]*$/i.test(headers.authorization ?? '')) {
    violation(host, exchange, 'the header authorization was sent to a store with a token of the site')
  }
}

export function violation(host: StoreHost, { entry }: StoreExchange, problem: string): void {
  host.violations.push(`${entry.operation}: ${problem}`)
}

/** Refuses with `reply`, as something that the client should not have done. */
export function refused(host: StoreHost, exchange: StoreExchange, problem: string, reply: Reply): Refusal {
  violation(host, exchange, problem)
  return new Refusal(reply)
}

/** A body of a length that is known beforehand; `chunked` and `missing` are how the store refuses the others. */
export function checkLength(
  host: StoreHost,
  exchange: StoreExchange,
  { chunked, missing }: { chunked: Reply; missing: Reply },
): number {
  const { headers } = exchange.request
  if (headers['transfer-encoding'] !== undefined) {
    throw refused(host, exchange, 'the body was sent chunked', chunked)
  }
  const length = headers['content-length']
  if (length === undefined) throw refused(host, exchange, 'no content-length', missing)
  return Number(length)
}

export function checkType(host: StoreHost, exchange: StoreExchange, wanted: string, reply: Reply): void {
  const type = exchange.request.headers['content-type']
  if (type === wanted) return
  throw refused(host, exchange, `content-type ${type ?? 'missing'} instead of ${wanted}`, reply)
}

/** For stores that take whatever length comes: a chunk of another one than agreed is noted, not refused. */
export function noteLength(
  host: StoreHost,
  exchange: StoreExchange,
  { opening }: Upload,
  index: number,
): void {
  const sent = Number(exchange.request.headers['content-length'])
  const agreed = chunkAt(opening, index)?.length
  if (sent === agreed) return
  violation(host, exchange, `chunk ${index} has ${sent} bytes, agreed were ${agreed ?? 'none'}`)
}

/** The body, as the fault has it, on its way to the disk. */
export function receive({ disk }: Shelf, { request, entry, fault }: StoreExchange): Promise<StoredPart> {
  const length = Number(request.headers['content-length'])
  return disk.receive(countedBody(request, entry), { alter: alteration(fault, length) })
}
