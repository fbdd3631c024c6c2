import { Refusal, type Reply, json } from '../../http/replies.ts'
import type { StoreExchange, StoreHost } from './host.ts'
import { refused } from './intake.ts'
import type { Opening } from './store.ts'

export interface Range {
  readonly start: number
  /** The last byte itself. */
  readonly end: number
  readonly total: number
}

export interface RangeCall {
  readonly host: StoreHost
  readonly rangeUnit: number
  readonly exchange: StoreExchange
}

/** The range that is announced, when it fits file, body and unit. Lengths in bytes. */
export function checkedRange(
  { host, rangeUnit, exchange }: RangeCall,
  { size }: Opening,
  length: number,
): Range {
  const invalid = (problem: string) =>
    refused(host, exchange, problem, graphError(400, 'invalidRequest', 'Invalid request'))
  const range = parseRange(exchange.request.headers['content-range'])
  if (range === undefined) throw invalid('no proper content-range')
  const { start, end, total } = range
  if (total !== size) throw invalid(`content-range of ${total} bytes, the file has ${size}`)
  if (end >= total || end - start + 1 !== length) throw invalid(`content-range does not fit ${length} bytes`)
  if (end + 1 < total && length % rangeUnit !== 0) throw invalid(`${length} is no multiple of ${rangeUnit}`)
  return range
}

/** Only the range that begins with the first missing byte is taken. */
export function checkPlace({ host, exchange }: RangeCall, next: number, { start }: Range): void {
  if (start === next) return
  if (start < next) {
    const message = 'The uploaded fragment overlaps with data that has already been received.'
    throw new Refusal(graphError(416, 'invalidRange', message, 'fragmentOverlap'))
  }
  const reply = graphError(416, 'invalidRange', 'The uploaded fragment is not the one that was expected.')
  throw refused(host, exchange, `the range begins at ${start}, ${next} was expected`, reply)
}

/** Undefined for what is no range of known bytes. */
export function parseRange(header: string | undefined): Range | undefined {
  const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? '') ?? []
  if (start === undefined) return undefined
  return { start: Number(start), end: Number(end), total: Number(total) }
}

/** As Microsoft Graph says what is wrong. */
export function graphError(status: number, code: string, message: string, inner?: string): Reply {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } }
  return json({ error: { code, message, ...innererror } }, status)
}
