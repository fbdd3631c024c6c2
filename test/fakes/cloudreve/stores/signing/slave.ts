import type { IncomingHttpHeaders } from 'node:http'
import { type Verdict, headerLine, hmac } from './scheme.ts'

const SCHEME = 'Bearer Cr '

/** What is signed between master and slave: the path and every `X-Cr-` header; neither query nor body. */
interface SlaveRequest {
  readonly path: string
  readonly headers?: IncomingHttpHeaders
}

/** The value of `Authorization`, good until `expires` (ms since 1970). */
export function slaveCredential(secret: string, request: SlaveRequest, expires: number): string {
  const until = String(Math.ceil(expires / 1000))
  return `${SCHEME}${signature(secret, request, until)}:${until}`
}

/** Whether the request carries a credential that was made for it, with the shared secret. */
export function checkSlaveCredential(
  secret: string,
  request: SlaveRequest & { readonly headers: IncomingHttpHeaders },
  now: number,
): Verdict {
  const given = request.headers.authorization ?? ''
  if (!given.startsWith(SCHEME)) return 'unsigned'
  const [mark = '', until = ''] = given.slice(SCHEME.length).split(':')
  if (mark !== signature(secret, request, until)) return 'mismatch'
  return now > Number(until) * 1000 ? 'expired' : 'good'
}

function signature(secret: string, { path, headers = {} }: SlaveRequest, until: string): string {
  const own = Object.keys(headers).filter((name) => name.startsWith('x-cr-'))
  const lines = own.toSorted().map((name) => `${name}=${headerLine(headers, name)}`)
  return hmac('sha256', secret, `${JSON.stringify([path, lines])}:${until}`).toString('base64url')
}
