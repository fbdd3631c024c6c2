import { NeedsPerson } from '#shared/errors.ts'
import { totpCode } from '../../totp.ts'
import { fingerprint } from '../../fingerprint.ts'
import { pause } from '#shared/pause.ts'
import type { Credentials } from '../request.ts'
import {
  asksForCaptcha,
  passwordLogin,
  refreshTokens,
  siteNow,
  verifyCode,
  type Captcha,
  type SignIn,
} from './sign-in.ts'
import { type StoredLogin, type Tokens } from './tokens.ts'

/** One login under way, holding the account's login lock. */
export interface Attempt extends SignIn {
  readonly baseUrl: string
  readonly stored: StoredLogin
  readonly credentials: Credentials
  /** The longest wait for the authenticator's next code. */
  readonly codeMs: number
}

/** What a login needs beside the password. */
type Demand = 'totp' | 'captcha'

/** Keeps the login, encrypted, for all processes. */
export const save = ({ account }: Attempt, login: StoredLogin): Promise<void> =>
  account.login.save(JSON.stringify(login))

/** A login that is whole takes the place of all that was before it. */
export const signedIn = async (attempt: Attempt, tokens: Tokens): Promise<Tokens> => {
  await save(attempt, { v: 1, tokens, imported: attempt.stored.imported })
  return tokens
}

/** The imported refresh token, unless this very one was tried before. */
export const tryImported = async (attempt: Attempt): Promise<Tokens | undefined> => {
  const { refreshToken } = attempt.credentials
  const known = refreshToken === undefined || fingerprint(refreshToken) === attempt.stored.imported
  return known ? undefined : importToken(attempt)
}

/** The imported refresh token, tried before or not; it is remembered that it was. */
export const importToken = async (attempt: Attempt): Promise<Tokens | undefined> => {
  const { refreshToken } = attempt.credentials
  if (refreshToken === undefined) return undefined
  const tokens = await refreshTokens(attempt, refreshToken)
  const imported = fingerprint(refreshToken)
  await save(attempt, tokens === undefined ? { ...attempt.stored, imported } : { v: 1, tokens, imported })
  return tokens
}

/** The stored refresh token; undefined when there is none, or it is refused. */
export const refreshStored = async (attempt: Attempt): Promise<Tokens | undefined> => {
  const { tokens } = attempt.stored
  const fresh = tokens && (await refreshTokens(attempt, tokens.refresh))
  return fresh && signedIn(attempt, fresh)
}

/** One login by password, and by the authenticator's code if its secret is stored. Uses the budget. */
export const tryPassword = async (attempt: Attempt, captcha?: Captcha): Promise<Tokens | Demand> => {
  const { account, credentials, stored } = attempt
  if (credentials.email === undefined || credentials.password === undefined) {
    throw new NeedsPerson(
      'needs-login',
      'The login has ended, and no e-mail address and password are stored: give the account a new refreshToken',
    )
  }
  // Asked first, so that a login that can not succeed costs nothing of the budget.
  if (captcha === undefined && (await asksForCaptcha(attempt))) return 'captcha'
  await account.login.spend()
  const result = await passwordLogin(attempt, credentials, captcha)
  if (result.kind === 'needs-captcha') return 'captcha'
  if (result.kind === 'in') return signedIn(attempt, result.tokens)
  // Kept apart from a real login, so that the code can be handed in by another process, or after a restart.
  const { session } = result
  await save(attempt, { ...stored, captcha: undefined, pending: { session } })
  const answered = await answerByItself(attempt, session)
  return answered.kind === 'verified' ? signedIn(attempt, answered.tokens) : 'totp'
}

type Answered =
  | { readonly kind: 'verified'; readonly tokens: Tokens }
  | { readonly kind: 'needs-code' }
  | { readonly kind: 'gone' }

/** Answers a demand for an authenticator's code from the stored secret; a refused code once more, when it is new. */
export const answerByItself = async (attempt: Attempt, session: string): Promise<Answered> => {
  const { totpSecret } = attempt.credentials
  if (totpSecret === undefined) return { kind: 'needs-code' }
  for (let tries = 1; ; tries++) {
    // The site judges the code by its own clock.
    const { code, leftMs } = totpCode(totpSecret, siteNow(attempt))
    const result = await verifyCode(attempt, session, code)
    if (result.kind !== 'refused') return result
    if (tries === 2) return { kind: 'needs-code' }
    await pause(Math.min(leftMs + 500, attempt.codeMs), attempt.signal)
  }
}
