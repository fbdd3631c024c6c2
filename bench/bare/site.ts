import { request } from 'undici'
import type { Agent } from 'undici'
import { z } from 'zod'
import type { Piece } from './pieces.ts'
import type { CloudrevePlan } from './plan.ts'

export const OCTETS = { 'content-type': 'application/octet-stream' }

const envelope = z.object({ code: z.number(), data: z.unknown().optional() })
const login = z.object({ token: z.object({ access_token: z.string() }) })

interface SiteRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Below `/api/v4`. */
  readonly path: string
  readonly json?: unknown
  readonly piece?: Piece | undefined
  /** A code that is none of our troubles: answered as `undefined`. */
  readonly besides?: number
  /** Without the token. */
  readonly anonymous?: true
}

/** A Cloudreve site, as the bare loop talks to it: whatever it does not expect is an error. */
export interface Site {
  readonly ask: <Answer>(schema: z.ZodType<Answer>, asked: SiteRequest) => Promise<Answer | undefined>
}

/** Logs in by password, and asks for the version, as the service does. */
export async function openSite(
  { baseUrl, email, password }: CloudrevePlan,
  dispatcher: Agent,
): Promise<Site> {
  let token: string | undefined
  const ask: Site['ask'] = async (schema, { method, path, json, piece, besides, anonymous }) => {
    const headers = headersOf({ json, piece }, anonymous === true ? undefined : token)
    const body = json === undefined ? (piece?.body ?? null) : JSON.stringify(json)
    const answer = await request(`${baseUrl}/api/v4${path}`, { dispatcher, method, headers, body })
    const { code, data } = envelope.parse(await answer.body.json())
    if (code === besides) return undefined
    if (code !== 0) throw new Error(`${method} ${path.split('?')[0] ?? ''} → code ${code}`)
    return schema.parse(data)
  }
  const json = { email, password }
  const made = await ask(login, { method: 'POST', path: '/session/token', json })
  token = made?.token.access_token
  await ask(z.string(), { method: 'GET', path: '/site/ping', anonymous: true })
  return { ask }
}

const headersOf = ({ json, piece }: Pick<SiteRequest, 'json' | 'piece'>, token: string | undefined) => ({
  'user-agent': 'stevedore-bench/1.0',
  accept: 'application/json',
  ...(json !== undefined && { 'content-type': 'application/json' }),
  ...(piece !== undefined && { ...OCTETS, 'content-length': String(piece.length) }),
  ...(token !== undefined && { authorization: `Bearer ${token}` }),
})
