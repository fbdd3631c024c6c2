import { randomUUID } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { z } from 'zod'
import type { Reply } from '../http/replies.ts'
import { ApiError, badParameter, success } from './envelope.ts'
import type { SiteOperation } from './ledger.ts'
import { readBody } from './requests.ts'
import type { Handler, Site, SiteExchange } from './site.ts'
import type { User } from './users.ts'

/** Logging in and out, and what is asked before it. */
export const authRoutes = {
  ping: ({ settings }) => success(settings.pro ? `${settings.version}-pro` : settings.version),
  config,
  captcha,
  prepare,
  login,
  twoFactor,
  refresh,
  logout,
} satisfies Partial<Record<SiteOperation, Handler>>

const CAPTCHA_IMAGE = 'data:image/png;base64,iVBORw0KGgo='

function config({ settings }: Site, { params }: SiteExchange): Reply {
  if (params['section'] === 'login') {
    return success({ login_captcha: settings.captcha !== undefined, reg_captcha: false })
  }
  return success({ title: 'Fake Cloudreve', captcha_type: 'normal' })
}

function captcha({ settings, pending }: Site): Reply {
  const ticket = randomUUID()
  pending.captchas.set(ticket, settings.captcha ?? '')
  return success({ image: CAPTCHA_IMAGE, ticket })
}

function prepare({ users }: Site, { url, entry }: SiteExchange): Reply {
  const email = url.searchParams.get('email')
  if (email === null) throw badParameter('email is required')
  entry.user = email
  if (!users.has(email)) throw new ApiError(404, 'User not found')
  return success({ webauthn_enabled: false, password_enabled: true })
}

const loginSchema = z.object({
  email: z.string(),
  password: z.string().min(4).max(128),
  captcha: z.string().optional(),
  ticket: z.string().optional(),
})

async function login(site: Site, exchange: SiteExchange): Promise<Reply> {
  const body = await readBody(site, exchange, loginSchema)
  exchange.entry.user = body.email
  const user = site.users.get(body.email)
  if (user !== undefined) noteLogin(site, exchange, user)
  checkCaptcha(site, body)
  if (user === undefined || user.password !== body.password) {
    throw new ApiError(site.settings.badPasswordCode, 'Incorrect email or password')
  }
  checkStatus(user)
  return user.totpSecret === undefined ? signIn(site, user) : askSecondFactor(site, user)
}

/** Under way until its answer has gone out, or its client. */
function noteLogin(site: Site, { ends }: SiteExchange, { email, stats }: User): void {
  stats.logins += 1
  stats.loginsUnderWay += 1
  ends.push(() => {
    stats.loginsUnderWay -= 1
  })
  if (stats.loginsUnderWay > 1) {
    site.violations.push(`login: ${email} while another login of theirs was under way`)
  }
  if (stats.logins > site.settings.maxLogins) {
    site.violations.push(`login: ${email} came ${stats.logins} times, ${site.settings.maxLogins} allowed`)
  }
}

/** Each ticket works once, right or wrong. */
function checkCaptcha(site: Site, { captcha = '', ticket = '' }: z.output<typeof loginSchema>): void {
  if (site.settings.captcha === undefined) return
  const answer = site.pending.captchas.get(ticket)
  site.pending.captchas.delete(ticket)
  if (ticket !== '' && answer === undefined) throw new ApiError(40_027, 'Please refresh the captcha')
  if (answer !== captcha) throw new ApiError(40_026, 'Captcha is not correct')
}

function checkStatus({ status }: User): void {
  if (status === 'banned') throw new ApiError(40_017, 'This user is banned')
  if (status === 'inactive') throw new ApiError(40_018, 'This user is not activated')
}

/** How long the second factor may take. */
const SECOND_FACTOR_MS = 600_000

function askSecondFactor({ pending }: Site, user: User): Reply {
  const id = randomUUID()
  pending.secondFactors.set(id, { user, expires: Date.now() + SECOND_FACTOR_MS })
  throw new ApiError(203, '', { data: id })
}

function signIn(site: Site, user: User): Reply {
  user.stats.signedIn += 1
  const { id, email } = user
  const group = { id: site.hashId(2), name: 'User' }
  return success({
    user: { id, email, nickname: email.split('@')[0], group },
    token: site.tokens.issue(email),
  })
}

const otpSchema = z.object({ otp: z.string(), session_id: z.string() })

async function twoFactor(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { otp, session_id } = await readBody(site, exchange, otpSchema)
  const login = site.pending.secondFactors.get(session_id)
  exchange.entry.user = login?.user.email
  if (login === undefined || login.expires < Date.now()) throw new ApiError(404, 'Login session not exist')
  const totp = new TOTP({ secret: Secret.fromBase32(login.user.totpSecret ?? '') })
  // One step either way, as servers allow for clocks that differ.
  if (totp.validate({ token: otp, window: 1 }) === null) throw new ApiError(40_022, '2FA code not correct')
  site.pending.secondFactors.delete(session_id)
  return signIn(site, login.user)
}

const refreshSchema = z.object({ refresh_token: z.string() })

async function refresh(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { refresh_token } = await readBody(site, exchange, refreshSchema)
  const login = site.tokens.loginOf(refresh_token)
  exchange.entry.user = site.tokens.claimedBy(refresh_token)
  const user = site.users.get(login?.email ?? '')
  if (login === undefined || user === undefined) throw new ApiError(40_020, 'Invalid refresh token')
  checkStatus(user)
  user.stats.refreshes += 1
  // The refresh token that was given stays good: both belong to one login.
  return success(site.tokens.issue(login.email, login.root))
}

async function logout(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { refresh_token } = await readBody(site, exchange, refreshSchema)
  const login = site.tokens.loginOf(refresh_token)
  exchange.entry.user = site.tokens.claimedBy(refresh_token)
  if (login !== undefined) site.tokens.revoke(login.root)
  return success()
}
