import { hexDigest, hmac } from './scheme.ts'

export interface UpyunKeys {
  readonly operator: string
  readonly password: string
}

/** What is signed: absent members leave no gap. */
interface UpyunRequest {
  readonly method: string
  readonly uri: string
  readonly date?: string
  readonly policy?: string
  readonly contentMd5?: string
}

/** The authorization of a form or a notification: http://docs.upyun.com/api/authorization/ */
export function upyunAuthorization(
  { operator, password }: UpyunKeys,
  { method, uri, date, policy, contentMd5 }: UpyunRequest,
): string {
  const text = [method, uri, date, policy, contentMd5].filter((member) => member !== undefined).join('&')
  return `UPYUN ${operator}:${hmac('sha1', hexDigest('md5', password), text).toString('base64')}`
}
