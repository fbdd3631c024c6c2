import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** What a store allows whoever holds the URL to do. Header names in lower case; `expires` in ms since 1970. */
export interface Grant {
  readonly method: string
  readonly url: URL
  /** Those that must be sent exactly so. */
  readonly headers: Readonly<Record<string, string>>
  readonly expires: number
}

/** A request as its signature sees it. */
export interface SignedRequest {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
}

/** `unsigned` for one that does not even claim to be signed in this way. */
export type Verdict = 'good' | 'unsigned' | 'mismatch' | 'expired'

export interface Keys {
  readonly accessKey: string
  readonly secretKey: string
}

/** One way of signing URLs; `now` in ms since 1970. */
export interface Scheme {
  readonly sign: (grant: Grant, now: number) => string
  /** Computes the signature anew from what came. */
  readonly check: (request: SignedRequest, now: number) => Verdict
}

/** RFC 3986: all but the unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** A path encoded as stores do it: each segment, and only once. Throws when it is no proper path. */
export function encodedPath({ pathname }: URL): string {
  return pathname
    .split('/')
    .map((segment) => encode(decodeURIComponent(segment)))
    .join('/')
}

/** Name and value, decoded; a plus is a plus. Throws when it is no proper query. */
export function queryPairs({ search }: URL): [string, string][] {
  const pieces = search.slice(1).split('&')
  return pieces
    .filter((piece) => piece !== '')
    .map((piece) => {
      const [name = '', ...value] = piece.split('=')
      return [decodeURIComponent(name), decodeURIComponent(value.join('='))]
    })
}

/** The URL with these pairs added, encoded as the stores do, not as a form. */
export function withQuery(url: URL, pairs: readonly (readonly [string, string])[]): string {
  const added = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
  return `${url.href}${url.search === '' ? '?' : '&'}${added}`
}

export function hmac(algorithm: 'sha1' | 'sha256', key: string | Buffer, text: string): Buffer {
  return createHmac(algorithm, key).update(text).digest()
}

export function hexDigest(algorithm: 'md5' | 'sha1' | 'sha256', text: string): string {
  return createHash(algorithm).update(text).digest('hex')
}

/** A signature by the fourth version: a key derived step by step from secret, date, region and service. */
export function derivedSignature(steps: readonly [string, ...string[]], text: string): string {
  const [secret, ...rest] = steps
  let key: string | Buffer = secret
  for (const step of rest) key = hmac('sha256', key, step)
  return hmac('sha256', key, text).toString('hex')
}

/** `20250101T000000Z`. */
export function compactTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

/** In ms since 1970; NaN when it is none. */
export function parseCompactTime(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}

const WEEK_SECONDS = 7 * 24 * 3600

/** Since when and for how many seconds a URL of the fourth version is good. Throws when that is over a week. */
export function lifetime(expires: number, now: number): { issued: number; seconds: number } {
  const end = Math.ceil(expires / 1000)
  const seconds = Math.max(1, end - Math.floor(now / 1000))
  if (seconds > WEEK_SECONDS) throw new Error('URLs are signed for a week at most')
  return { issued: (end - seconds) * 1000, seconds }
}

/** The verdict on a URL of the fourth version whose signature is right. */
export function verdictOnTime(issued: string, seconds: string, now: number): Verdict {
  const from = parseCompactTime(issued)
  const duration = Number(seconds)
  if (Number.isNaN(from) || !(duration >= 1 && duration <= WEEK_SECONDS)) return 'mismatch'
  return now > from + duration * 1000 ? 'expired' : 'good'
}

/** A header as one line, its spaces trimmed; undefined when it was not sent. */
export function headerLine(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return value === undefined ? undefined : [value].flat().join(',').trim().replaceAll(/ +/g, ' ')
}

/** `mismatch` for whatever can not be taken apart. */
export function checking(check: Scheme['check']): Scheme['check'] {
  return (request, now) => {
    try {
      return check(request, now)
    } catch (error) {
      if (error instanceof URIError) return 'mismatch'
      throw error
    }
  }
}
