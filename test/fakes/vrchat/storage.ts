import { countedBody, drain } from '../http/bodies.ts'
import type { Outcome } from '../http/exchange.ts'
import type { StoredPart } from '../http/part-disk.ts'
import { Refusal, type Reply } from '../http/replies.ts'
import { alteration, etagHeader } from '../http/spoilt.ts'
import type { Core, Exchange } from './core.ts'
import { sizeOf } from './file-store.ts'
import type { Grant } from './grants.ts'
import { xmlRefusal, xmlReply } from './replies.ts'

/** The fake S3: takes and gives bytes by presigned URL only. */
export async function processStorage(core: Core, exchange: Exchange): Promise<Outcome> {
  try {
    const grant = checkedGrant(core, exchange)
    if (grant.method === 'GET') return await giveObject(core, grant)
    checkLength(core, exchange)
    checkHeaders(core, exchange, grant)
    return await takePart(core, exchange, grant)
  } catch (error) {
    // A refusal early in the body would reach most clients as a reset; that is a fault of its own.
    if (error instanceof Refusal && !exchange.request.readableEnded)
      await drain(exchange.request, exchange.entry)
    throw error
  }
}

export function storageFaultReply(status: number): Reply {
  const codes: Record<number, string> = { 403: 'AccessDenied', 404: 'NoSuchUpload', 503: 'SlowDown' }
  return xmlReply(status, codes[status] ?? 'InternalError', 'Please try again.')
}

function checkedGrant(core: Core, { request, url, fault }: Exchange): Grant {
  if (request.headers.cookie !== undefined) {
    core.violations.push(`storage: a cookie was sent (${request.method})`)
    throw xmlRefusal(400, 'InvalidRequest', 'Cookies have no business here.')
  }
  if (request.headers.authorization !== undefined) {
    core.violations.push(`storage: an Authorization header was sent (${request.method})`)
    throw xmlRefusal(400, 'InvalidArgument', 'Only one auth mechanism allowed')
  }
  const grant = core.grants.find(url)
  if (grant === undefined || grant.method !== request.method || grant.target !== request.url) {
    core.violations.push(`storage: ${request.method} with a URL that was not issued so`)
    throw signatureMismatch()
  }
  if (fault?.kind === 'expired' || Date.now() > grant.expiresAt) {
    throw xmlRefusal(403, 'AccessDenied', 'Request has expired')
  }
  return grant
}

function checkLength(core: Core, { request: { headers } }: Exchange): void {
  if (headers['transfer-encoding'] !== undefined) {
    core.violations.push('putPart: the body was sent chunked')
    const message = 'A header you provided implies functionality that is not implemented'
    throw xmlRefusal(501, 'NotImplemented', message)
  }
  if (headers['content-length'] === undefined) {
    core.violations.push('putPart: no Content-Length')
    throw xmlRefusal(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
  }
}

function checkHeaders(core: Core, { request: { headers } }: Exchange, { upload }: Grant): void {
  const { file, blob } = upload
  const type = headers['content-type']
  const md5 = headers['content-md5']
  if (blob.category === 'multipart') {
    if (type === undefined && md5 === undefined) return
    core.violations.push(`putPart: Content-Type ${type} and Content-MD5 ${String(md5)} on a multipart part`)
    throw signatureMismatch()
  }
  // For signatures the type of the bundle is known to pass as well.
  const types =
    blob.fileType === 'signature' ? ['application/x-rsync-signature', file.mimeType] : [file.mimeType]
  if (types.includes(type ?? '') && md5 === blob.declaredMd5) return
  core.violations.push(
    `putPart: simple ${blob.fileType} with Content-Type ${type} and Content-MD5 ${String(md5)}`,
  )
  throw signatureMismatch()
}

async function takePart(core: Core, exchange: Exchange, grant: Grant): Promise<Reply> {
  const { request, entry, fault } = exchange
  const { upload } = grant
  const { blob } = upload
  if (!isOpen(core, grant)) throw noSuchUpload()
  let part: StoredPart
  try {
    const body = countedBody(request, entry, core.settings.storageBytesPerSecond)
    const alter = alteration(fault, Number(request.headers['content-length']))
    part = await core.disk.receive(body, { sha256: blob.category === 'simple', alter })
  } finally {
    blob.received += entry.bytes
  }
  const spoilt = fault?.kind === 'store-short' || fault?.kind === 'store-flipped'
  if (blob.category === 'simple' && !spoilt && base64Of(part.md5) !== request.headers['content-md5']) {
    await core.disk.remove([part])
    throw xmlRefusal(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.')
  }
  // Both may have ended while the body came in.
  if (!isOpen(core, grant)) {
    await core.disk.remove([part])
    throw noSuchUpload()
  }
  await keep(core, grant, part)
  const etag = etagHeader(part.md5, fault)
  return { status: 200, headers: etag === undefined ? {} : { etag } }
}

function isOpen(core: Core, { upload: { blob } }: Grant): boolean {
  return blob.category === 'simple' || core.store.uploads.has(blob.uploadId)
}

async function keep(core: Core, { upload, partNumber = 1 }: Grant, part: StoredPart): Promise<void> {
  const { file, version, blob } = upload
  if (blob.status !== 'waiting' || version.deleted || file.deleted) {
    // S3 takes a simple object for as long as its URL lives, but here nothing refers to it any more.
    await core.disk.remove([part])
    return
  }
  const replaced = blob.parts.get(partNumber)
  blob.parts.set(partNumber, part)
  if (replaced !== undefined) await core.disk.remove([replaced])
}

async function giveObject(core: Core, { upload }: Grant): Promise<Reply> {
  const { file, version, blob } = upload
  if (version.deleted || file.deleted) throw xmlRefusal(404, 'NoSuchKey', 'The specified key does not exist.')
  const headers = {
    'content-type': file.mimeType,
    'content-length': String(sizeOf(blob.assembled)),
    etag:
      blob.category === 'simple'
        ? `"${await core.store.md5Of(blob)}"`
        : `"${blob.uploadId.slice(0, 32)}-${blob.assembled.length}"`,
  }
  return { status: 200, headers, body: core.disk.read(blob.assembled) }
}

function base64Of(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

function signatureMismatch(): Refusal {
  const message = 'The request signature we calculated does not match the signature you provided.'
  return xmlRefusal(403, 'SignatureDoesNotMatch', message)
}

function noSuchUpload(): Refusal {
  return xmlRefusal(404, 'NoSuchUpload', 'The specified upload does not exist.')
}
