import { createHash } from 'node:crypto'
import { readSmall } from '../../http/bodies.ts'
import type { StoredPart } from '../../http/part-disk.ts'
import { Refusal, type Reply } from '../../http/replies.ts'
import { etagHeader } from '../../http/spoilt.ts'
import { assemble } from './assemble.ts'
import type { RequestHead, StoreExchange, StoreHost, StoreTarget } from './host.ts'
import { OCTETS, attended, checkLength, checkType, noteLength, receive, refused } from './intake.ts'
import { signedUrls } from './multipart-urls.ts'
import { type Shelf, type Upload, createShelf } from './shelf.ts'
import type { Scheme } from './signing/scheme.ts'
import type { Opening, Store, StoreKind } from './store.ts'

/** What tells the stores that took their multipart uploads from S3 apart. */
export interface Dialect {
  readonly kind: StoreKind
  readonly scheme: Scheme
  /** Headers signed for a part of so many bytes. */
  readonly partHeaders: (length: number) => Record<string, string>
  /** Headers signed for the completion. */
  readonly completeHeaders: Record<string, string>
  /** What else is in the URL of the completion, and signed. */
  readonly completeQuery?: (opening: Opening) => readonly (readonly [string, string])[]
  readonly error: (status: number, code: string, message: string) => Reply
  /** Answers a completion whose signature is good. */
  readonly finish: (completion: Completion) => Promise<Reply>
}

export interface Completion {
  readonly host: StoreHost
  readonly shelf: Shelf
  readonly exchange: StoreExchange
  readonly upload: Upload
  readonly body: string
}

/** A store that takes parts by URLs signed one by one, as S3 does. */
export async function createMultipartStore(host: StoreHost, dialect: Dialect): Promise<Store> {
  const { kind } = dialect
  const shelf = await createShelf(host, kind)
  const server = await host.serve({
    targetOf: (head) => targetOf(dialect, shelf, head),
    process: attended(host, (exchange) => answer({ host, shelf, dialect, exchange })),
    faultReply: (status) => dialect.error(status, faultCodes[status] ?? 'InternalError', 'Please try again.'),
  })
  return assemble({
    kind,
    server,
    shelf,
    open: async (opening) =>
      signedUrls({ now: host.now(), dialect, origin: server.origin, upload: shelf.begin(opening) }),
  })
}

const faultCodes: Record<number, string> = { 403: 'AccessDenied', 404: 'NoSuchUpload', 503: 'SlowDown' }

function targetOf({ kind }: Dialect, shelf: Shelf, { method, url }: RequestHead): StoreTarget {
  const number = url.searchParams.get('partNumber')
  const sessionId = shelf.sessionOf(url.searchParams.get('uploadId'))
  if (method === 'PUT' && number !== null) {
    return { operation: `${kind}.putPart`, sessionId, chunkIndex: Number(number) - 1 }
  }
  return { operation: method === 'POST' ? `${kind}.complete` : `${kind}.unknown`, sessionId }
}

interface Call {
  readonly host: StoreHost
  readonly shelf: Shelf
  readonly dialect: Dialect
  readonly exchange: StoreExchange
}

async function answer(call: Call): Promise<Reply> {
  const { host, dialect, exchange } = call
  const { error } = dialect
  checkLength(host, exchange, {
    chunked: error(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
    ),
    missing: error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.'),
  })
  checkSignature(call)
  checkType(host, exchange, OCTETS, error(400, 'InvalidArgument', 'Unexpected Content-Type'))
  return exchange.entry.chunkIndex === undefined ? complete(call) : takePart(call, exchange.entry.chunkIndex)
}

function checkSignature({ host, dialect: { scheme, error }, exchange }: Call): void {
  const { request, url, fault, entry } = exchange
  if (request.headers.authorization !== undefined) {
    const reply = error(400, 'InvalidArgument', 'Only one auth mechanism allowed')
    throw refused(host, exchange, 'an authorization header beside a signed URL', reply)
  }
  const verdict = scheme.check({ method: entry.method, url, headers: request.headers }, host.now())
  if (verdict === 'unsigned') {
    throw refused(host, exchange, 'the URL is not signed', error(403, 'AccessDenied', 'Access Denied'))
  }
  if (verdict === 'mismatch') {
    const message = 'The request signature we calculated does not match the signature you provided.'
    const reply = error(403, 'SignatureDoesNotMatch', message)
    throw refused(host, exchange, 'the request is not the one that was signed', reply)
  }
  // Nobody can know beforehand how long a request takes to arrive.
  if (verdict === 'expired' || fault?.kind === 'expired') {
    throw new Refusal(error(403, 'AccessDenied', 'Request has expired'))
  }
}

async function takePart(call: Call, index: number): Promise<Reply> {
  const { host, shelf, dialect, exchange } = call
  const upload = openUpload(call)
  noteLength(host, exchange, upload, index)
  const part = await receive(shelf, exchange)
  // It may have ended while the body came in.
  if (!(await shelf.keep(upload, index, part))) throw noSuchUpload(dialect)
  const etag = etagHeader(part.md5, exchange.fault)
  return { status: 200, headers: etag === undefined ? {} : { etag } }
}

async function complete(call: Call): Promise<Reply> {
  const { host, shelf, dialect, exchange } = call
  const body = await readSmall(exchange.request, exchange.entry)
  if (body === undefined) {
    throw new Refusal(dialect.error(400, 'MalformedXML', 'The XML you provided was not well-formed.'))
  }
  const upload = openUpload(call)
  return dialect.finish({ host, shelf, exchange, upload, body: body.toString('utf8') })
}

function openUpload({ shelf, dialect, exchange: { url } }: Call): Upload {
  const upload = shelf.find(url.searchParams.get('uploadId'))
  if (upload === undefined) throw noSuchUpload(dialect)
  return upload
}

function noSuchUpload({ error }: Dialect): Refusal {
  return new Refusal(error(404, 'NoSuchUpload', 'The specified upload does not exist.'))
}

/** The ETag of an object of several parts, quotes and all. */
export function joinedEtag(parts: readonly StoredPart[]): string {
  const md5 = createHash('md5')
  for (const part of parts) md5.update(part.md5, 'hex')
  return `"${md5.digest('hex')}-${parts.length}"`
}
