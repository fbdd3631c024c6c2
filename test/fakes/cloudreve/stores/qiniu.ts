import { Refusal, type Reply, json } from '../../http/replies.ts'
import { etagHeader } from '../../http/spoilt.ts'
import { assemble } from './assemble.ts'
import type { RequestHead, StoreExchange, StoreHost, StoreTarget } from './host.ts'
import { OCTETS, attended, checkLength, checkType, noteLength, receive, refused } from './intake.ts'
import { type QiniuCall, complete, etagOf, noSuchUpload, problem, route } from './qiniu-complete.ts'
import { type Shelf, type Upload, createShelf } from './shelf.ts'
import { type QiniuPolicy, checkUploadToken, safeBase64, uploadToken } from './signing/qiniu.ts'
import type { Opening, Store } from './store.ts'

const keys = { accessKey: 'QINIU-FAKE-STORE', secretKey: 'the secret of the fake qiniu store' }

/** Resumable uploads of Qiniu, version 2: https://developer.qiniu.com/kodo/6364/multipartupload-interface */
export async function createQiniuStore(host: StoreHost): Promise<Store> {
  const shelf = await createShelf(host, 'qiniu')
  const server = await host.serve({
    targetOf: (head) => targetOf(shelf, head),
    process: attended(host, (exchange) => answer({ host, shelf, exchange })),
    faultReply: (status) => problem(status, 'please try again'),
  })
  return assemble({
    kind: 'qiniu',
    server,
    shelf,
    open: async (opening) => {
      const { id } = shelf.begin(opening)
      const object = safeBase64(Buffer.from(opening.key))
      return {
        upload_id: id,
        upload_urls: [`${server.origin}/buckets/bucket/objects/${object}/uploads/${id}`],
        credential: tokenFor(opening),
      }
    },
  })
}

const CALLBACK_BODY = '{"name":"$(fname)","source_name":"$(key)","size":$(fsize)}'

function tokenFor({ key, size, expires, callbackUrl }: Opening): string {
  return uploadToken(keys, {
    scope: `bucket:${key}`,
    deadline: Math.ceil(expires / 1000),
    callbackUrl,
    callbackBody: CALLBACK_BODY,
    callbackBodyType: 'application/json',
    fsizeLimit: size,
    insertOnly: 1,
  })
}

function targetOf(shelf: Shelf, { method, url }: RequestHead): StoreTarget {
  const { id, part } = route(url)
  const sessionId = shelf.sessionOf(id)
  if (method === 'PUT' && part !== undefined) {
    return { operation: 'qiniu.putPart', sessionId, chunkIndex: Number(part) - 1 }
  }
  if (id === undefined || part !== undefined) return { operation: 'qiniu.unknown', sessionId }
  const operations = new Map<string | undefined, StoreTarget['operation']>([
    ['POST', 'qiniu.complete'],
    ['DELETE', 'qiniu.abort'],
  ])
  return { operation: operations.get(method) ?? 'qiniu.unknown', sessionId }
}

async function answer(call: QiniuCall): Promise<Reply> {
  const { host, exchange } = call
  const { operation, chunkIndex } = exchange.entry
  if (operation === 'qiniu.unknown') {
    throw refused(host, exchange, 'there is no such address', problem(404, 'Not Found'))
  }
  if (operation === 'qiniu.abort') return abortUpload(call)
  const missing = problem(411, 'miss content-length')
  checkLength(host, exchange, { chunked: missing, missing })
  const upload = checkedUpload(call)
  return chunkIndex === undefined ? complete(call, upload) : putPart(call, upload, chunkIndex)
}

/** https://developer.qiniu.com/kodo/6367/abort-multipart-upload */
async function abortUpload(call: QiniuCall): Promise<Reply> {
  await call.shelf.abort(checkedUpload(call).opening.sessionId)
  return json({})
}

/** The upload that the address names, when the token allows it. */
function checkedUpload({ host, shelf, exchange }: QiniuCall): Upload {
  const { id, object } = route(exchange.url)
  const policy = policyOf(exchange)
  if (policy === undefined) {
    throw refused(host, exchange, 'the upload token is bad', problem(401, 'bad token'))
  }
  if (exchange.fault?.kind === 'expired' || host.now() > policy.deadline * 1000) {
    throw new Refusal(problem(401, 'expired token'))
  }
  if (policy.scope !== `bucket:${Buffer.from(object ?? '', 'base64url').toString('utf8')}`) {
    const reply = problem(403, "key doesn't match with scope")
    throw refused(host, exchange, 'the token is for another key', reply)
  }
  const upload = shelf.find(id)
  if (upload === undefined) throw noSuchUpload()
  return upload
}

function policyOf({ request }: StoreExchange): QiniuPolicy | undefined {
  const [, token] = /^UpToken (\S+)$/.exec(request.headers.authorization ?? '') ?? []
  return token === undefined ? undefined : checkUploadToken(keys, token)
}

async function putPart({ host, shelf, exchange }: QiniuCall, upload: Upload, index: number): Promise<Reply> {
  checkType(host, exchange, OCTETS, problem(400, 'invalid content-type'))
  noteLength(host, exchange, upload, index)
  const part = await receive(shelf, exchange)
  if (!(await shelf.keep(upload, index, part))) throw noSuchUpload()
  const shown = etagHeader(part.md5, exchange.fault)?.replaceAll('"', '')
  return json(shown === undefined ? {} : { etag: etagOf(shown), md5: shown })
}
