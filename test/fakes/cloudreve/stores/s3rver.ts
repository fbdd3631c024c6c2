import { countedBody, readSmall } from '../../http/bodies.ts'
import { Refusal, type Reply } from '../../http/replies.ts'
import { alteration, etagHeader } from '../../http/spoilt.ts'
import { chunkAt, chunkCount } from './chunks.ts'
import type { RequestHead, StoreExchange, StoreHost, StoreTarget } from './host.ts'
import { attended, checkLength, refused } from './intake.ts'
import {
  type Passed,
  REGION,
  type S3rverServer,
  objectPath,
  s3rverKeys,
  startS3rver,
} from './s3rver-server.ts'
import { awsV4 } from './signing/aws-v4.ts'
import { awsPresigned } from './signing/aws4fetch.ts'
import type { Opened, Opening, Store } from './store.ts'
import { parsePartList, xmlError } from './xml.ts'

/**
 * S3 as others wrote it: s3rver keeps and joins the parts, aws4fetch signs the URLs. What s3rver 3.7.1 can not do is
 * done on the way to it: it takes any signature of version 4, and knows no abort. It takes any ETag, too.
 */
export async function createS3rverStore(host: StoreHost): Promise<Store> {
  const s3rver = await startS3rver(host.directory)
  const uploads = new Map<string, Upload>()
  const server = await host.serve({
    targetOf: (head) => targetOf(uploads, head),
    process: attended(host, (exchange) => answer({ host, s3rver, uploads, exchange })),
    faultReply: (status) =>
      xmlError(status, status === 503 ? 'SlowDown' : 'InternalError', 'Please try again.'),
  })
  return {
    kind: 's3',
    origin: server.origin,
    open: async (opening) => {
      const id = await s3rver.initiate(opening.key)
      uploads.set(id, { opening, lengths: new Map(), open: true })
      return presigned({ origin: server.origin, id, opening, now: host.now() })
    },
    abort: async (sessionId) => {
      for (const upload of uploads.values()) {
        if (upload.opening.sessionId === sessionId) upload.open = false
      }
    },
    stat: s3rver.stat,
    read: s3rver.read,
    remove: s3rver.remove,
    unfinished: () => [...uploads.values()].filter(({ open }) => open).length,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await s3rver[Symbol.asyncDispose]()
    },
  }
}

interface Upload {
  readonly opening: Opening
  /** Bytes of each part that came, by its number from 1. */
  readonly lengths: Map<number, number>
  open: boolean
}

interface Presigning {
  readonly origin: string
  readonly id: string
  readonly opening: Opening
  readonly now: number
}

async function presigned({ origin, id, opening, now }: Presigning): Promise<Opened> {
  const { key, expires } = opening
  const sign = (method: string, query: string, headers: Record<string, string>) => {
    const url = new URL(`${origin}${objectPath(key)}?${query}`)
    return awsPresigned(s3rverKeys, REGION, { method, url, headers, expires }, now)
  }
  const parts = Array.from({ length: chunkCount(opening) }, (_, index) => {
    const length = chunkAt(opening, index)?.length ?? 0
    const headers = length > 0 ? { 'content-length': String(length) } : {}
    return sign('PUT', `partNumber=${index + 1}&uploadId=${id}`, headers)
  })
  const completeURL = await sign('POST', `uploadId=${id}`, {})
  return { upload_id: id, upload_urls: await Promise.all(parts), completeURL }
}

function targetOf(uploads: ReadonlyMap<string, Upload>, { method, url }: RequestHead): StoreTarget {
  const number = url.searchParams.get('partNumber')
  const sessionId = uploads.get(url.searchParams.get('uploadId') ?? '')?.opening.sessionId
  if (method === 'PUT' && number !== null) {
    return { operation: 's3.putPart', sessionId, chunkIndex: Number(number) - 1 }
  }
  return { operation: method === 'POST' ? 's3.complete' : 's3.unknown', sessionId }
}

interface Call {
  readonly host: StoreHost
  readonly s3rver: S3rverServer
  readonly uploads: Map<string, Upload>
  readonly exchange: StoreExchange
}

async function answer(call: Call): Promise<Reply> {
  const { exchange } = call
  const { upload, id } = checkedUpload(call)
  const passed =
    exchange.entry.chunkIndex === undefined
      ? await complete(call, upload)
      : await putPart(call, upload, { uploadId: id, number: exchange.entry.chunkIndex + 1 })
  return replyOf(passed, exchange)
}

function checkedUpload({ host, uploads, exchange }: Call): { upload: Upload; id: string } {
  const { request, url, entry, fault } = exchange
  const missing = xmlError(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
  checkLength(host, exchange, { chunked: xmlError(501, 'NotImplemented', 'Not implemented'), missing })
  const signed = { method: entry.method, url, headers: request.headers }
  const verdict = awsV4(s3rverKeys, REGION).check(signed, host.now())
  if (verdict === 'expired' || fault?.kind === 'expired') {
    throw new Refusal(xmlError(403, 'AccessDenied', 'Request has expired'))
  }
  if (verdict !== 'good') {
    const reply = xmlError(403, 'SignatureDoesNotMatch', 'The signature does not match.')
    throw refused(host, exchange, `the signature is ${verdict}`, reply)
  }
  const id = url.searchParams.get('uploadId') ?? ''
  const upload = uploads.get(id)
  if (upload?.open !== true) throw new Refusal(xmlError(404, 'NoSuchUpload', 'There is no such upload.'))
  return { upload, id }
}

async function putPart(
  { s3rver, exchange }: Call,
  { lengths }: Upload,
  place: { uploadId: string; number: number },
): Promise<Passed> {
  const { request, entry, fault } = exchange
  const announced = Number(request.headers['content-length'])
  const length = fault?.kind === 'store-short' ? Math.max(0, announced - 1) : announced
  const body = alteration(fault, announced)(countedBody(request, entry))
  lengths.set(place.number, length)
  return s3rver.putPart({ ...place, rawUrl: entry.rawUrl, length, body })
}

async function complete({ s3rver, exchange }: Call, upload: Upload): Promise<Passed> {
  const { request, entry } = exchange
  const body = (await readSmall(request, entry)) ?? Buffer.alloc(0)
  const numbers = (parsePartList(body.toString('utf8')) ?? []).map(({ number }) => number)
  const length = numbers.reduce((sum, number) => sum + (upload.lengths.get(number) ?? 0), 0)
  const passed = await s3rver.complete({ key: upload.opening.key, rawUrl: entry.rawUrl, body, length })
  if (passed.status === 200) upload.open = false
  return passed
}

function replyOf({ status, type, etag, text }: Passed, { fault }: StoreExchange): Reply {
  const shown = etag === undefined ? undefined : etagHeader(etag.replaceAll('"', ''), fault)
  const headers = {
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(shown === undefined ? {} : { etag: shown }),
  }
  return { status, headers, body: text }
}
