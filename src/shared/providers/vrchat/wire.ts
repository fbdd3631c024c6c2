import { AccountParked, Unreachable } from '#shared/errors.ts'
import type { Http, HttpAnswer, HttpRequest } from '#shared/http.ts'
import { blank } from '../blank.ts'
import type { AccountAccess } from '../provider.ts'
import { refusalOf } from './answers.ts'
import { settingsOf } from './request.ts'

export interface ApiRequest {
  readonly method: HttpRequest['method']
  /** Below the base URL, with its query if it has one. */
  readonly path: string
  readonly json?: unknown
  readonly totalMs?: number
  readonly stream?: boolean
  /** Not repeated, though it only reads. */
  readonly once?: boolean
  /** Throws when a success is none of what was asked for. */
  readonly check?: (answer: HttpAnswer) => unknown
}

export interface WireRequest extends ApiRequest {
  readonly cookie?: string
  readonly authorization?: string
  /** Beside cookie and authorization: what an error must not repeat even if the answer does. */
  readonly secrets?: readonly string[]
}

/** One request of one account, within its governor's limits, with what every request carries. */
export interface Wire {
  /**
   * Answers success, redirect and refusal alike; throws `Unreachable` and `AccountParked`, and does so
   * inside the governor's call, which opens circuits and parks by what it sees thrown.
   */
  readonly send: (account: AccountAccess, request: WireRequest, signal: AbortSignal) => Promise<HttpAnswer>
  /** How far the account's server is ahead of this host's clock; undefined before its first answer. */
  readonly serverAhead: (account: AccountAccess) => number | undefined
}

interface WireDeps {
  readonly http: Http
  readonly version: string
  readonly apiMs: number
  readonly now: () => number
}

export const createWire = ({ http, version, apiMs, now }: WireDeps): Wire => {
  const ahead = new Map<string, number>()
  return {
    send: async (account, request, signal) => {
      const { baseUrl, contact } = settingsOf(account)
      // The one thing VRChat asks of every client: vrchatapi/vrchatapi-javascript;
      // docs/vrchat.md, User-Agent.
      const agent = `stevedore/${version} ${contact}`
      const place = asked(baseUrl, request)
      // A download takes as long as it takes; the stall watchdog stays with it.
      const limit = request.stream === true ? {} : { totalMs: request.totalMs ?? apiMs }
      const sending = { ...place, ...carried(request, agent), ...limit }
      return account.governor.call(signal, async (signal) => {
        const answer = await http.send(sending, signal)
        const date = Date.parse(answer.header('date') ?? '')
        if (!Number.isNaN(date)) ahead.set(baseUrl, date - now())
        if (answer.status < 300) request.check?.(answer)
        if (answer.status < 400) return answer
        const safe = { ...answer, text: blank(answer.text, secretsOf(request)) }
        const refusal = refusalOf(safe, place)
        if (refusal instanceof Unreachable || refusal instanceof AccountParked) throw refusal
        return safe
      })
    },
    serverAhead: (account) => ahead.get(settingsOf(account).baseUrl),
  }
}

/** Where a request goes, and what messages call it. */
export const asked = (baseUrl: string, { method, path }: ApiRequest): { url: string; what: string } => ({
  url: `${baseUrl}${path}`,
  what: `${method} ${path.split('?')[0] ?? path}`,
})

const carried = (request: WireRequest, agent: string): Omit<HttpRequest, 'url' | 'what'> => ({
  method: request.method,
  headers: {
    'user-agent': agent,
    accept: request.stream === true ? '*/*' : 'application/json',
    ...(request.json !== undefined && { 'content-type': 'application/json' }),
    ...(request.cookie !== undefined && request.cookie !== '' && { cookie: request.cookie }),
    ...(request.authorization !== undefined && { authorization: request.authorization }),
  },
  ...(request.json !== undefined && { body: JSON.stringify(request.json) }),
  stream: request.stream === true,
})

const secretsOf = ({ cookie = '', authorization = '', secrets = [] }: WireRequest): readonly string[] => [
  ...cookie.split('; ').map((pair) => pair.slice(pair.indexOf('=') + 1)),
  authorization.replace(/^\w+ /, ''),
  ...secrets,
]
