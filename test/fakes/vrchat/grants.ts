import { randomBytes } from 'node:crypto'
import { blobFileName } from './file-records.ts'
import type { Upload } from './file-store.ts'
import type { Settings } from './options.ts'

/** What one presigned URL allows. */
export interface Grant {
  method: 'PUT' | 'GET'
  upload: Upload
  partNumber: number | undefined
  expiresAt: number
  /** Path and query exactly as issued: any change breaks the signature. */
  target: string
}

export interface Grants {
  /** Answers an absolute URL. */
  issue: (storageUrl: string, wanted: Pick<Grant, 'method' | 'upload' | 'partNumber'>) => string
  find: (url: URL) => Grant | undefined
}

export function createGrants({ urlLifetimeMs, urlStyle }: Settings): Grants {
  const grants = new Map<string, Grant>()

  return {
    issue: (storageUrl, wanted) => {
      const { file, version, blob } = wanted.upload
      const signature = randomBytes(32).toString('hex')
      const expiresAt = Date.now() + urlLifetimeMs
      const query =
        urlStyle === 'v2' ? signV2(expiresAt, signature) : signV4(wanted, urlLifetimeMs, signature)
      if (wanted.partNumber !== undefined) query.set('partNumber', String(wanted.partNumber))
      if (blob.uploadId !== '' && wanted.method === 'PUT') query.set('uploadId', blob.uploadId)
      const name = blobFileName(file, version.version, blob.fileType)
      const url = new URL(`${storageUrl}/files.vrchat.cloud/${encodeURIComponent(name)}`)
      url.search = query.toString()
      grants.set(signature, { ...wanted, expiresAt, target: url.pathname + url.search })
      return url.href
    },
    find: (url) =>
      grants.get(url.searchParams.get('X-Amz-Signature') ?? url.searchParams.get('Signature') ?? ''),
  }
}

function signV4(
  { method, upload }: Pick<Grant, 'method' | 'upload'>,
  lifetimeMs: number,
  signature: string,
): URLSearchParams {
  const simple = method === 'PUT' && upload.blob.category === 'simple'
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return new URLSearchParams({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `AKIAFAKE/${stamp.slice(0, 8)}/us-east-1/s3/aws4_request`,
    'X-Amz-Date': stamp,
    'X-Amz-Expires': String(Math.ceil(lifetimeMs / 1000)),
    'X-Amz-SignedHeaders': simple ? 'content-md5;content-type;host' : 'host',
    'X-Amz-Signature': signature,
  })
}

function signV2(expiresAt: number, signature: string): URLSearchParams {
  const expires = String(Math.ceil(expiresAt / 1000))
  return new URLSearchParams({ AWSAccessKeyId: 'AKIAFAKE', Expires: expires, Signature: signature })
}
