import type { Http, HttpRequest } from '#shared/http.ts'
import { ownVersion } from '#shared/own-version.ts'
import type { AccountAccess, Slice } from '../../provider.ts'
import type { Timing } from '../deps.ts'
import { readEnvelope, type Asked, type Envelope } from './envelope.ts'
import { settingsOf } from '../request.ts'

export interface ApiRequest {
  readonly method: HttpRequest['method']
  /** Below `/api/v4`, with its query if it has one. */
  readonly path: string
  /** What messages call it, when its path holds a secret or says too little. */
  readonly what?: string
  readonly json?: unknown
  /** Bytes, sent as `application/octet-stream`. */
  readonly body?: Slice
  /** Most bytes of the answer, where that may be much. */
  readonly largest?: number
  /** From first to last byte, in ms; the timing's `apiMs` otherwise. */
  readonly totalMs?: number
  /** Twice is as good as once: tried again at once when the site is in trouble. */
  readonly repeat?: true
  /** Without the account's token. */
  readonly anonymous?: true
  /** With the account's purchase ticket, if it has one. */
  readonly paid?: true
  /** Bytes are not API calls, and have limits of their own. */
  readonly ungoverned?: true
  /** Beside token and ticket: what an error must not repeat even if the answer does. */
  readonly secrets?: readonly string[]
}

export interface WireRequest extends ApiRequest {
  readonly token?: string
  readonly ticket?: string | undefined
  /** Throws when the data of a success is none of what was asked for. */
  readonly check?: (data: unknown) => unknown
}

/** One request to an account's site, within its governor's limits, with what every request carries. */
export interface Wire {
  /**
   * Answers success and refusal alike, as the envelope's code has it. What came from anything but the site is thrown,
   * and so within the governor's call, which opens circuits and parks by what it sees thrown.
   */
  readonly send: (account: AccountAccess, request: WireRequest, signal: AbortSignal) => Promise<Envelope>
  /** How far the site's clock is ahead of this host's, in ms; 0 before its first answer. */
  readonly serverAhead: (account: AccountAccess) => number
  /** The site's version, asked for when what is known of it is older than ten minutes. */
  readonly version: (account: AccountAccess, ask: () => Promise<string>) => Promise<string>
}

interface WireDeps {
  readonly http: Http
  readonly timing: Pick<Timing, 'apiMs'>
  readonly now: () => number
}

/** A site that is updated is away for a moment, and is asked again before long. */
const VERSION_LASTS_MS = 10 * 60_000

export const createWire = ({ http, timing, now }: WireDeps): Wire => {
  const agent = `stevedore/${ownVersion()}`
  const ahead = new Map<string, number>()
  const versions = new Map<string, { readonly version: string; readonly until: number }>()
  const exchange = async ({ baseUrl, request, place }: Sending, signal: AbortSignal): Promise<Envelope> => {
    const headers = headersOf(request, agent)
    const body = bodyOf(request)
    const sending = { ...place, method: request.method, headers, totalMs: request.totalMs ?? timing.apiMs }
    const { largest } = request
    const more = { ...(body !== undefined && { body }), ...(largest !== undefined && { largest }) }
    const answer = await http.send({ ...sending, ...more }, signal)
    const date = Date.parse(answer.header('date') ?? '')
    if (!Number.isNaN(date)) ahead.set(baseUrl, date - now())
    const envelope = readEnvelope(answer, place)
    if (envelope.code === 0) request.check?.(envelope.data)
    return envelope
  }
  return {
    send: async (account, request, signal) => {
      const { baseUrl } = settingsOf(account)
      const sending = { baseUrl, request, place: asked(baseUrl, request) }
      if (request.ungoverned === true) return exchange(sending, signal)
      return account.governor.call(signal, async (signal) => exchange(sending, signal))
    },
    serverAhead: (account) => ahead.get(settingsOf(account).baseUrl) ?? 0,
    version: async (account, ask) => {
      const { baseUrl } = settingsOf(account)
      const known = versions.get(baseUrl)
      if (known !== undefined && known.until > now()) return known.version
      const version = await ask()
      versions.set(baseUrl, { version, until: now() + VERSION_LASTS_MS })
      return version
    },
  }
}

interface Sending {
  readonly baseUrl: string
  readonly request: WireRequest
  readonly place: Asked
}

/** Where a request goes, what messages call it, and what they must not repeat. */
export const asked = (baseUrl: string, request: WireRequest): Asked => {
  const { method, path, token = '', ticket = '', secrets = [] } = request
  const what = request.what ?? `${method} ${path.split('?')[0] ?? path}`
  return { url: `${baseUrl}/api/v4${path}`, what, secrets: [token, ticket, ...secrets] }
}

// No X-Cr-Correlation-Id of our own: every refusal has the site's, which its log has as well, and one more header
// of this family is one more that must never reach a node, where it would break the signature.
const headersOf = (request: WireRequest, agent: string): Record<string, string> => ({
  'user-agent': agent,
  accept: 'application/json',
  ...(request.json !== undefined && { 'content-type': 'application/json' }),
  ...(request.body !== undefined && { 'content-type': 'application/octet-stream' }),
  ...(request.token !== undefined && { authorization: `Bearer ${request.token}` }),
  ...(request.paid === true && request.ticket !== undefined && { 'x-cr-purchase-ticket': request.ticket }),
})

const bodyOf = ({ json, body }: WireRequest): string | Slice | undefined =>
  json === undefined ? body : JSON.stringify(json)
