import { z } from 'zod'
import { NeedsPerson } from '#shared/errors.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { AccountAccess } from '../provider.ts'
import { readSuccess, refusalOf } from './answers.ts'
import { cookieHeader, withSetCookies, type Jar } from './jar.ts'
import type { Credentials } from './request.ts'
import { asked, type Wire, type WireRequest } from './wire.ts'

/** The methods of VRChat, as its answers name them. `otp` is a recovery code. */
const PATHS: Readonly<Record<string, string>> = { totp: 'totp', otp: 'otp', emailOtp: 'emailotp' }

export type SignedIn =
  | { readonly kind: 'in'; readonly jar: Jar }
  | { readonly kind: 'challenge'; readonly jar: Jar; readonly methods: readonly string[] }

export interface SignIn {
  readonly wire: Wire
  readonly account: AccountAccess
  readonly baseUrl: string
  readonly signal: AbortSignal
}

// Both answers are 200, and only this property tells them apart.
const userOrDemand = z.object({ requiresTwoFactorAuth: z.array(z.string()).optional() })
const verified = z.object({ verified: z.boolean().default(false) })
const alive = z.object({ ok: z.literal(true) })

const send = (on: SignIn, request: WireRequest): Promise<HttpAnswer> =>
  on.wire.send(on.account, request, on.signal)

/**
 * One Basic login, which costs a server-side session: never in a loop. Both halves are percent-encoded.
 * vrchatapi/specification:openapi/components/paths/authentication.yaml@b7fff1a
 */
export const passwordLogin = async (on: SignIn, credentials: Credentials, kept: Jar): Promise<SignedIn> => {
  const { username = '', password = '' } = credentials
  const pair = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
  const target = { method: 'GET', path: '/auth/user' } as const
  const read = (answer: HttpAnswer): z.infer<typeof userOrDemand> =>
    readSuccess(answer, asked(on.baseUrl, target), userOrDemand)
  const request = {
    ...target,
    authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
    cookie: cookieHeader(kept, on.baseUrl),
    secrets: [password, encodeURIComponent(password)],
    check: read,
  }
  const answer = await send(on, request)
  if (answer.status === 401) throw new NeedsPerson('needs-login', 'VRChat refused the user name or password')
  if (answer.status >= 300) throw refusalOf(answer, asked(on.baseUrl, request))
  const { requiresTwoFactorAuth: methods } = read(answer)
  const jar = withSetCookies(kept, on.baseUrl, answer.setCookies)
  return methods === undefined || methods.length === 0
    ? { kind: 'in', jar }
    : { kind: 'challenge', jar, methods }
}

/**
 * Hands in a second factor. `refused`: wrong code; `gone`: the half-made login is no longer known.
 * A wrong code comes as 400 or as `verified: false`.
 * Misaka-L/vrchat-content-manager:src/Core/VRChatContentPublisher.VRChatApi/ApiClient/VRChatApiClient.cs@844ece2
 */
export const verifyCode = async (
  on: SignIn,
  jar: Jar,
  { method, code }: { readonly method: string; readonly code: string },
): Promise<{ kind: 'verified'; jar: Jar } | { kind: 'refused' } | { kind: 'gone' }> => {
  const path = `/auth/twofactorauth/${PATHS[method] ?? method.toLowerCase()}/verify`
  const target = { method: 'POST', path } as const
  const read = (answer: HttpAnswer): z.infer<typeof verified> =>
    readSuccess(answer, asked(on.baseUrl, target), verified)
  const request = {
    ...target,
    json: { code },
    cookie: cookieHeader(jar, on.baseUrl),
    secrets: [code],
    check: read,
  }
  const answer = await send(on, request)
  if (answer.status === 401) return { kind: 'gone' }
  if (answer.status === 400) return { kind: 'refused' }
  if (answer.status >= 300) throw refusalOf(answer, asked(on.baseUrl, request))
  if (!read(answer).verified) return { kind: 'refused' }
  return { kind: 'verified', jar: withSetCookies(jar, on.baseUrl, answer.setCookies) }
}

/**
 * Whether these cookies still open the account.
 * vrchatapi/specification:openapi/components/paths/authentication.yaml@b7fff1a
 */
export const isSignedIn = async (on: SignIn, jar: Jar): Promise<boolean> => {
  const target = { method: 'GET', path: '/auth' } as const
  const check = (answer: HttpAnswer): unknown => readSuccess(answer, asked(on.baseUrl, target), alive)
  const request = { ...target, cookie: cookieHeader(jar, on.baseUrl), check }
  const answer = await send(on, request)
  if (answer.status === 401) return false
  if (answer.status >= 300) throw refusalOf(answer, asked(on.baseUrl, request))
  return true
}
