import { z } from 'zod'
import { readSmall } from '../../http/bodies.ts'
import { Refusal, type Reply, json } from '../../http/replies.ts'
import { callBack } from './callback.ts'
import { chunkCount } from './chunks.ts'
import type { StoreExchange, StoreHost } from './host.ts'
import { refused, violation } from './intake.ts'
import type { Shelf, Upload } from './shelf.ts'

export interface QiniuCall {
  readonly host: StoreHost
  readonly shelf: Shelf
  readonly exchange: StoreExchange
}

const ROUTE = /^\/buckets\/bucket\/objects\/(?<object>[^/]+)\/uploads\/(?<id>\w+)(?:\/(?<part>\d+))?$/

/** What an address names: the object in Base64, the upload, and the part from 1. */
export function route({ pathname }: URL): Record<'object' | 'id' | 'part', string | undefined> {
  const { object, id, part } = ROUTE.exec(pathname)?.groups ?? {}
  return { object, id, part }
}

const listSchema = z.object({
  mimeType: z.string().optional(),
  parts: z.array(z.object({ etag: z.string(), partNumber: z.int() })).min(1),
})

type Listed = z.output<typeof listSchema>['parts']

/** Joins the parts that are listed, and reports to whoever the token names. */
export async function complete(call: QiniuCall, upload: Upload): Promise<Reply> {
  const { host, shelf, exchange } = call
  const type = exchange.request.headers['content-type'] ?? 'none'
  if (!/^application\/json(;|$)/.test(type)) {
    throw refused(host, exchange, `content-type ${type}`, problem(400, 'invalid content-type'))
  }
  const parts = await readList(call)
  if (!fits(upload, parts)) {
    throw refused(host, exchange, 'the list of parts is wrong', problem(400, 'invalid parts'))
  }
  const count = chunkCount(upload.opening)
  if (parts.length !== count) violation(host, exchange, `${parts.length} of ${count} parts are listed`)
  const { key, callbackUrl } = upload.opening
  if (shelf.has(key)) throw new Refusal(problem(614, 'file exists'))
  await shelf.complete(
    upload,
    parts.map(({ partNumber }) => partNumber - 1),
  )
  return report(host, callbackUrl, { name: key, source_name: key, size: await shelf.stat(key) })
}

async function readList({ host, shelf, exchange }: QiniuCall): Promise<Listed> {
  const body = await readSmall(exchange.request, exchange.entry)
  try {
    const { parts } = listSchema.parse(JSON.parse(body?.toString('utf8') ?? ''))
    // It may have ended while the body came in.
    if (shelf.find(route(exchange.url).id) === undefined) throw noSuchUpload()
    return parts
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw refused(host, exchange, 'no proper list of parts', problem(400, 'invalid argument'))
  }
}

function fits(upload: Upload, parts: Listed): boolean {
  const ascends = parts.every(({ partNumber }, at) => partNumber > (parts[at - 1]?.partNumber ?? 0))
  return (
    ascends && parts.every(({ partNumber, etag }) => etag === etagOf(upload.parts.get(partNumber - 1)?.md5))
  )
}

/** What whoever is called back answers is passed on; 579 says that it failed, and that the object is there. */
async function report(host: StoreHost, url: string, content: object): Promise<Reply> {
  const headers = { 'content-type': 'application/json' }
  const answer = await callBack(host, url, { headers, body: JSON.stringify(content) })
  if (answer?.status === 200) return { status: 200, headers, body: answer.text }
  return problem(579, `callback failed: ${answer?.status ?? 'no answer'}`)
}

/** Qiniu's own digest is not an MD5, and nobody needs to compute it. */
export function etagOf(md5: string | undefined): string | undefined {
  return md5 === undefined ? undefined : `F-${md5}`
}

/** The session was completed, or aborted. */
export function noSuchUpload(): Refusal {
  return new Refusal(problem(612, 'no such uploadId'))
}

/** As Qiniu says what is wrong. */
export function problem(status: number, error: string): Reply {
  return json({ error }, status)
}
