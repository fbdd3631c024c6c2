import { z } from 'zod'
import { NeedsPerson } from '#shared/errors.ts'
import type { AccountAccess } from '../../provider.ts'
import { codes, errorOf, SiteRefusal } from '../site/codes.ts'
import { readData, type Envelope } from '../site/envelope.ts'
import { settingsOf, type Credentials } from '../request.ts'
import { tokenAnswer, tokensOf, type Tokens } from './tokens.ts'
import { asked, type Wire, type WireRequest } from '../site/wire.ts'

export interface SignIn {
  readonly wire: Wire
  readonly account: AccountAccess
  /** By this host's clock. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/** A captcha as it was answered, or, without a text, as it is asked for. */
export interface Captcha {
  readonly ticket: string
  readonly text: string
}

export type SignedIn =
  | { readonly kind: 'in'; readonly tokens: Tokens }
  | { readonly kind: 'needs-code'; readonly session: string }
  | { readonly kind: 'needs-captcha' }

const loggedIn = z.object({ token: tokenAnswer })
const loginConfig = z.object({ login_captcha: z.boolean().default(false) })
const basicConfig = z.object({ captcha_type: z.string().default('normal') })
const captchaAnswer = z.object({ image: z.string(), ticket: z.string().min(1) })

/** Another step of the login is needed, which the data may name. */
const UNFINISHED = 203
const CAPTCHA_CODES: ReadonlySet<number> = new Set([codes.captchaWrong, codes.captchaStale])

const send = (on: SignIn, request: WireRequest, schema: z.ZodType): Promise<Envelope> => {
  const check = (data: unknown): unknown => readData(data, placeOf(on, request), schema)
  return on.wire.send(on.account, { ...request, check }, on.signal)
}

const placeOf = (on: SignIn, request: WireRequest): ReturnType<typeof asked> =>
  asked(settingsOf(on.account).baseUrl, request)

const ask = async <T>(on: SignIn, path: string, schema: z.ZodType<T>): Promise<T> => {
  const request = { method: 'GET', path } as const
  const answer = await send(on, request, schema)
  if (answer.code !== 0) throw errorOf(answer.said)
  return readData(answer.data, placeOf(on, request), schema)
}

/** How far the site's clock has come, in ms since 1970. */
export const siteNow = ({ wire, account, now }: SignIn): number => now() + wire.serverAhead(account)

/**
 * A new pair for a refresh token; undefined when it is refused. The old one stays good, so nothing is lost when the
 * answer is. be:pkg/auth/jwt.go@0bb0ab83
 */
export const refreshTokens = async (on: SignIn, refreshToken: string): Promise<Tokens | undefined> => {
  const json = { refresh_token: refreshToken }
  const request = { method: 'POST', path: '/session/token/refresh', json, secrets: [refreshToken] } as const
  const answer = await send(on, request, tokenAnswer)
  if (answer.code === 0)
    return tokensOf(readData(answer.data, placeOf(on, request), tokenAnswer), siteNow(on))
  const error = errorOf(answer.said)
  if (!(error instanceof SiteRefusal)) throw error
  assertMayLogIn(error)
  return undefined
}

/**
 * One password login. Throws `NeedsPerson` for everything that the site refuses for good.
 * be:service/user/login.go@0bb0ab83
 */
export const passwordLogin = async (
  on: SignIn,
  { email = '', password = '' }: Credentials,
  captcha?: Captcha,
): Promise<SignedIn> => {
  const json = { email, password, ...(captcha && { captcha: captcha.text, ticket: captcha.ticket }) }
  const request = { method: 'POST', path: '/session/token', json, secrets: [password] } as const
  const answer = await send(on, request, loggedIn)
  if (answer.code === UNFINISHED) return unfinished(answer)
  if (CAPTCHA_CODES.has(answer.code)) return { kind: 'needs-captcha' }
  if (answer.code !== 0) throw personFor(errorOf(answer.said))
  const { token } = readData(answer.data, placeOf(on, request), loggedIn)
  return { kind: 'in', tokens: tokensOf(token, siteNow(on)) }
}

const unfinished = ({ data }: Envelope): SignedIn => {
  const session = z.string().min(1).safeParse(data).data
  if (session !== undefined) return { kind: 'needs-code', session }
  throw new NeedsPerson(
    'needs-login',
    'The user is not activated yet: open the link in the e-mail that the site has sent, then log in again',
  )
}

/**
 * Hands in an authenticator's code. `refused`: wrong code; `gone`: the half-made login is no longer known, as it
 * lives for ten minutes. be:service/user/login.go@0bb0ab83
 */
export const verifyCode = async (
  on: SignIn,
  session: string,
  code: string,
): Promise<{ kind: 'verified'; tokens: Tokens } | { kind: 'refused' } | { kind: 'gone' }> => {
  const json = { otp: code, session_id: session }
  const request = { method: 'POST', path: '/session/token/2fa', json, secrets: [code, session] } as const
  const answer = await send(on, request, loggedIn)
  if (answer.code === 0) {
    const { token } = readData(answer.data, placeOf(on, request), loggedIn)
    return { kind: 'verified', tokens: tokensOf(token, siteNow(on)) }
  }
  const error = errorOf(answer.said)
  if (!(error instanceof SiteRefusal)) throw error
  assertMayLogIn(error)
  return { kind: answer.code === codes.wrongCode ? 'refused' : 'gone' }
}

/** Whether the site asks everybody who logs in for a captcha. */
export const asksForCaptcha = async (on: SignIn): Promise<boolean> =>
  (await ask(on, '/site/config/login', loginConfig)).login_captcha

/** A picture to read, as a data URI; undefined when the site asks for something that only a browser can show. */
export const newCaptcha = async (on: SignIn): Promise<{ image: string; ticket: string } | undefined> => {
  const { captcha_type: type } = await ask(on, '/site/config/basic', basicConfig)
  return type === 'normal' ? ask(on, '/site/captcha', captchaAnswer) : undefined
}

/** Everything refused for good at a login is a person's to set right, and no upload's fault. */
const personFor = (error: Error): Error =>
  error instanceof SiteRefusal ? new NeedsPerson('needs-login', error.message, { cause: error }) : error

const NO_LOGIN: ReadonlySet<number> = new Set([codes.banned, codes.notActivated])

/** Trying any other way to log in would say the same. */
const assertMayLogIn = (error: SiteRefusal): void => {
  if (NO_LOGIN.has(error.code)) throw personFor(error)
}
