import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { z } from 'zod'

const claimsSchema = z.object({
  sub: z.string(),
  type: z.enum(['access', 'refresh']),
  /** The login that it came from. */
  root: z.string(),
  /** Access tokens of an earlier generation are void. */
  generation: z.int(),
  /** Seconds since 1970, with fractions. */
  exp: z.number(),
})

type Claims = z.output<typeof claimsSchema>

export interface Token {
  access_token: string
  refresh_token: string
  access_expires: string
  refresh_expires: string
}

export interface Tokens {
  /** For a new login, or for the one that `root` names. */
  issue: (email: string, root?: string) => Token
  /** Whose valid access token this is. */
  userOf: (token: string) => string | undefined
  /** Whose token this is or was: to name the caller though the token is void. */
  claimedBy: (token: string) => string | undefined
  /** The login of a valid refresh token. */
  loginOf: (token: string) => { email: string; root: string } | undefined
  revoke: (root: string) => void
  expireAccess: () => void
  revokeAll: () => void
}

/** JWTs as the server signs them; times are those of the real clock. */
export function createTokens(lifetimes: { accessTtlMs: number; refreshTtlMs: number }): Tokens {
  const key = randomBytes(32)
  const roots = new Set<string>()
  let generation = 0

  function sign(claims: Claims): string {
    const signed = [
      { alg: 'HS256', typ: 'JWT' },
      { ...claims, jti: randomUUID() },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    return `${signed}.${signatureOf(signed, key)}`
  }

  function valid(token: string, type: Claims['type']): Claims | undefined {
    const claims = read(token, key)
    return claims?.type === type && claims.exp * 1000 > Date.now() ? claims : undefined
  }

  return {
    issue: (sub, root = randomUUID()) => {
      roots.add(root)
      const access = Date.now() + lifetimes.accessTtlMs
      const refresh = Date.now() + lifetimes.refreshTtlMs
      const common = { sub, root, generation }
      return {
        access_token: sign({ ...common, type: 'access', exp: access / 1000 }),
        refresh_token: sign({ ...common, type: 'refresh', exp: refresh / 1000 }),
        access_expires: new Date(access).toISOString(),
        refresh_expires: new Date(refresh).toISOString(),
      }
    },
    userOf: (token) => {
      const claims = valid(token, 'access')
      return claims?.generation === generation ? claims.sub : undefined
    },
    claimedBy: (token) => read(token, key)?.sub,
    loginOf: (token) => {
      const claims = valid(token, 'refresh')
      return claims === undefined || !roots.has(claims.root)
        ? undefined
        : { email: claims.sub, root: claims.root }
    },
    revoke: (root) => {
      roots.delete(root)
    },
    expireAccess: () => {
      generation += 1
    },
    revokeAll: () => {
      generation += 1
      roots.clear()
    },
  }
}

function read(token: string, key: Buffer): Claims | undefined {
  const [header, claims, signature] = token.split('.')
  if (claims === undefined || signature !== signatureOf(`${header}.${claims}`, key)) return undefined
  return claimsSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')))
}

function signatureOf(signed: string, key: Buffer): string {
  return createHmac('sha256', key).update(signed).digest('base64url')
}
