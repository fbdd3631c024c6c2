import { Secret, TOTP } from 'otpauth'
import { z } from 'zod'
import { type Reply, json } from '../http/replies.ts'
import type { Account, Identity, Session } from './accounts.ts'
import type { Core, Exchange } from './core.ts'
import type { Operation } from './ledger.ts'
import { plainRefusal, quotedRefusal } from './replies.ts'

type Handler = (core: Core, exchange: Exchange, body: unknown) => Reply

/** The handlers of logging in and out. */
export const authRoutes = {
  login,
  currentUser,
  checkAuth,
  logout,
  verifyTotp: verify,
  verifyRecovery: verify,
  verifyEmailOtp: verify,
} satisfies Partial<Record<Operation, Handler>>

/** The account a call works for; throws the 401 where there is none, or only half a login. */
export function requireAccount(core: Core, { identity }: Exchange): Account {
  const session = liveSession(identity)
  if (!isComplete(core, session, identity.twoFactorFor))
    throw quotedRefusal(401, core.settings.halfAuthMessage)
  return session.account
}

/** Looked at again when the call is processed: a session may end while its body comes in. */
function liveSession({ session }: Identity): Session {
  if (session?.account.sessions.has(session.token) === true) return session
  throw quotedRefusal(401, 'Missing Credentials')
}

function isComplete(core: Core, session: Session, twoFactorFor: string | undefined): boolean {
  const { account, verified } = session
  if (account.secondFactor.kind === 'none') return true
  return verified && (!core.settings.requireTwoFactorCookie || twoFactorFor === account.id)
}

function login(core: Core, exchange: Exchange): Reply {
  const account = accountByPassword(core, exchange.identity)
  noteLogin(core, account)
  if (account.sessions.size >= core.settings.maxSessions) {
    throw plainRefusal(429, 'There are too many active sessions for this user. Please try again later.')
  }
  const remembered = exchange.identity.twoFactorFor === account.id
  const known = account.secondFactor.kind === 'none' || remembered
  const session = core.accounts.openSession(account, exchange.entry, known)
  const cookies = [setCookie('auth', session.token, WEEK)]
  if (remembered) cookies.push(twoFactorCookie(core, account))
  return json(known ? userView(account) : twoFactorDemand(account), 200, { 'set-cookie': cookies })
}

function accountByPassword(core: Core, { basic }: Identity): Account {
  const account = core.accounts.byName.get(basic?.username ?? '')
  if (account !== undefined && account.password === basic?.password) return account
  noteRefusedLogin(core, account, basic?.password ?? '')
  throw quotedRefusal(401, 'Invalid Username/Email or Password')
}

function currentUser(core: Core, exchange: Exchange): Reply {
  const session = liveSession(exchange.identity)
  const complete = isComplete(core, session, exchange.identity.twoFactorFor)
  return json(complete ? userView(session.account) : twoFactorDemand(session.account))
}

function checkAuth(core: Core, exchange: Exchange): Reply {
  requireAccount(core, exchange)
  return json({ ok: true, token: exchange.identity.session?.token })
}

function logout(core: Core, { identity }: Exchange): Reply {
  core.accounts.close(liveSession(identity))
  const cleared = ['auth', 'age', 'tos'].map((name) => setCookie(name, '', 0))
  return json({ success: { message: 'Ok!', status_code: 200 } }, 200, { 'set-cookie': cleared })
}

const codeSchema = z.looseObject({ code: z.string() })

function verify(core: Core, { identity, entry }: Exchange, body: unknown): Reply {
  const session = liveSession(identity)
  const parsed = codeSchema.safeParse(body)
  if (!parsed.success) throw plainRefusal(400, 'code is required')
  if (!codeIsRight(session.account, entry.operation, parsed.data.code)) {
    if (core.settings.wrongCodeStatus === 200) return json({ verified: false })
    throw quotedRefusal(400, 'The code is wrong. Please try again.')
  }
  session.verified = true
  return json({ verified: true }, 200, { 'set-cookie': twoFactorCookie(core, session.account) })
}

function codeIsRight({ secondFactor, recoveryCodes }: Account, operation: Operation, code: string): boolean {
  if (secondFactor.kind === 'emailOtp') return operation === 'verifyEmailOtp' && secondFactor.code === code
  if (secondFactor.kind === 'none' || operation === 'verifyEmailOtp') return false
  if (operation === 'verifyRecovery') return recoveryCodes.delete(code)
  // One step either way, as servers allow for clocks that differ.
  return (
    new TOTP({ secret: Secret.fromBase32(secondFactor.secret) }).validate({ token: code, window: 1 }) !== null
  )
}

function noteRefusedLogin(core: Core, account: Account | undefined, password: string): void {
  if (account === undefined) return
  const now = Date.now()
  const { lastRefusal } = account
  if (lastRefusal?.password === password && now - lastRefusal.at < core.settings.loginSpacingMs) {
    core.violations.push(
      `login: ${account.username} came again with credentials that were refused just before`,
    )
  }
  account.lastRefusal = { password, at: now }
}

/** A login is excused while the one before gave no session that its client could know of and still use. */
function noteLogin(core: Core, { username, sessions, lastLogin }: Account): void {
  if (lastLogin === undefined || !sessions.has(lastLogin.token)) return
  const { endedAt, status } = lastLogin.login
  if (endedAt !== undefined && status !== 200) return
  const spacing = Date.now() - lastLogin.login.time
  if (spacing >= core.settings.loginSpacingMs) return
  core.violations.push(`login: ${username} logged in again ${spacing} ms after a login that worked`)
}

function twoFactorDemand({ secondFactor }: Account): { requiresTwoFactorAuth: string[] } {
  return { requiresTwoFactorAuth: secondFactor.kind === 'totp' ? ['totp', 'otp'] : ['emailOtp'] }
}

function userView({ id, username, secondFactor }: Account): Record<string, unknown> {
  return {
    id,
    username,
    displayName: username,
    tags: ['system_avatar_access', 'system_world_access'],
    twoFactorAuthEnabled: secondFactor.kind === 'totp',
    emailVerified: true,
    state: 'online',
    status: 'active',
    date_joined: '2020-01-01',
    last_login: new Date().toISOString(),
  }
}

const WEEK = 7 * 24 * 3600
const MONTH = 30 * 24 * 3600

function twoFactorCookie(core: Core, account: Account): string {
  return setCookie('twoFactorAuth', core.accounts.twoFactorToken(account), MONTH)
}

function setCookie(name: string, value: string, maxAge: number): string {
  const expires = new Date(maxAge === 0 ? 0 : Date.now() + maxAge * 1000).toUTCString()
  return `${name}=${value}; Max-Age=${maxAge}; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`
}
