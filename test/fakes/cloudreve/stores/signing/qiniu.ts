import { z } from 'zod'
import { type Keys, hmac } from './scheme.ts'

const policySchema = z.object({
  /** `bucket:key`. */
  scope: z.string(),
  /** In seconds since 1970. */
  deadline: z.int(),
  callbackUrl: z.string(),
  callbackBody: z.string(),
  callbackBodyType: z.string(),
  /** In bytes. */
  fsizeLimit: z.int(),
  /** 1 forbids to overwrite. */
  insertOnly: z.literal(1),
})

export type QiniuPolicy = z.output<typeof policySchema>

/** An upload token: https://developer.qiniu.com/kodo/1208/upload-token */
export function uploadToken({ accessKey, secretKey }: Keys, policy: QiniuPolicy): string {
  const encoded = safeBase64(Buffer.from(JSON.stringify(policy)))
  return `${accessKey}:${safeBase64(hmac('sha1', secretKey, encoded))}:${encoded}`
}

/** The policy of a token whose signature is right; undefined for every other. */
export function checkUploadToken({ accessKey, secretKey }: Keys, token: string): QiniuPolicy | undefined {
  const [key, mark, encoded = ''] = token.split(':')
  if (key !== accessKey || mark !== safeBase64(hmac('sha1', secretKey, encoded))) return undefined
  return policySchema.parse(JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')))
}

/** For URLs, and padded: what Qiniu calls URL-safe Base64. */
export function safeBase64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}
