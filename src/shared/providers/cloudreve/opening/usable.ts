import { partCount } from '../../cut.ts'
import type { Blob } from '../../provider.ts'
import type { TransportName } from '../session.ts'
import { CIPHERS } from './session-request.ts'
import type { UploadSession } from '../site/shapes.ts'

/** Where we tell the site that its store has all; elsewhere nobody needs the secret, so nobody keeps it. */
export const TOLD_BY_US: ReadonlySet<TransportName> = new Set(['s3', 'ks3', 'cos', 'obs', 'onedrive'])

/** Stores with a URL for each part and one to complete them. */
const LIKE_S3: ReadonlySet<TransportName> = new Set(['s3', 'ks3', 'oss', 'cos', 'obs'])
const HAS_NO_STORE: ReadonlySet<TransportName> = new Set(['local', 'relay'])
const HAS_CREDENTIAL: ReadonlySet<TransportName> = new Set(['remote', 'qiniu', 'upyun'])

/** Every multipart store's own limit, which the site does not look at. */
const MOST_PARTS = 10_000
/** Nobody sets such a policy on purpose, and each chunk is a job. */
const MOST_CHUNKS = 100_000

/** What is wrong with a session that was just opened, in words for people; `undefined` when it is as it should be. */
export const whyUnusable = (
  made: UploadSession,
  transport: TransportName,
  blob: Blob,
): string | undefined => {
  const { encrypt_metadata: cipher, chunk_size: chunkSize } = made
  if (cipher !== undefined && cipher !== null && !CIPHERS.includes(cipher.algorithm.toLowerCase())) {
    return `it wants the bytes encrypted by ${JSON.stringify(cipher.algorithm)}, which is not known here`
  }
  if (!Number.isSafeInteger(chunkSize) || chunkSize < 0) return `its chunk size is ${String(chunkSize)} bytes`
  return tooManyParts(transport, blob) ?? whatIsMissing(made, transport, partCount(blob))
}

const tooManyParts = (transport: TransportName, blob: Blob): string | undefined => {
  const most = LIKE_S3.has(transport) || transport === 'qiniu' ? MOST_PARTS : MOST_CHUNKS
  const count = partCount(blob)
  if (count <= most) return undefined
  const least = String(Math.ceil(blob.size / most))
  return (
    `its storage policy cuts this file into ${String(count)} chunks, and no more than ${String(most)} can be sent: ` +
    `raise the chunk size of the policy to ${least} bytes or more`
  )
}

const whatIsMissing = (made: UploadSession, transport: TransportName, parts: number): string | undefined => {
  if (HAS_NO_STORE.has(transport)) return undefined
  const urls = LIKE_S3.has(transport) ? parts : 1
  const found = made.upload_urls.length
  if (found < urls) return `it has ${String(found)} of the ${String(urls)} upload URLs that its chunks need`
  const needed = [
    ['credential', HAS_CREDENTIAL.has(transport), made.credential],
    ['completeURL', LIKE_S3.has(transport), made.completeURL],
    ['upload_policy', transport === 'upyun', made.upload_policy],
    ['callback_secret', TOLD_BY_US.has(transport), made.callback_secret],
  ] as const
  const missing = needed.find(([, isNeeded, value]) => isNeeded && value === '')
  if (missing !== undefined) return `it has no ${missing[0]}`
  const addresses = [...made.upload_urls, ...(made.completeURL === '' ? [] : [made.completeURL])]
  return addresses.every(isHttp) ? undefined : 'not all of its upload URLs are http(s) addresses'
}

const isHttp = (address: string): boolean => ['http:', 'https:'].includes(URL.parse(address)?.protocol ?? '')
