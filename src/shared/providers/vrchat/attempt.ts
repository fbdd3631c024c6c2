import { FatalError, NeedsPerson } from '#shared/errors.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Challenge, LoginResult } from '../provider.ts'
import { totpCode } from '../totp.ts'
import { pause } from '#shared/pause.ts'
import { cookieValue, importedJar, secondFactorOnly, type Jar, type StoredLogin } from './jar.ts'
import type { Credentials } from './request.ts'
import { isSignedIn, passwordLogin, verifyCode, type SignIn } from './sign-in.ts'

/** One login under way, holding the account's login lock. */
export interface Attempt extends SignIn {
  readonly stored: StoredLogin
  readonly credentials: Credentials
  readonly now: () => number
  /** The longest wait for the authenticator's next code. */
  readonly codeMs: number
}

export const save = ({ account }: Attempt, login: StoredLogin): Promise<void> =>
  account.login.save(JSON.stringify(login))

const signedIn = async (attempt: Attempt, jar: Jar): Promise<Jar> => {
  await save(attempt, { v: 1, jar, imported: attempt.stored.imported })
  return jar
}

export const sameLogin = ({ baseUrl }: Attempt, a: Jar, b: Jar): boolean =>
  cookieValue(a, baseUrl, 'auth') === cookieValue(b, baseUrl, 'auth')

/** The same login, with the same second factor: what one is refused with, so is the other. */
export const sameCookies = (attempt: Attempt, a: Jar, b: Jar): boolean =>
  sameLogin(attempt, a, b) &&
  cookieValue(a, attempt.baseUrl, 'twoFactorAuth') === cookieValue(b, attempt.baseUrl, 'twoFactorAuth')

/** Without a person: imported cookie, half-made login, password; in this order, as each costs more. */
export const logInAgain = async (attempt: Attempt): Promise<Jar> => {
  const imported = await tryImported(attempt)
  if (imported !== undefined) return imported
  const { pending } = attempt.stored
  if (pending !== undefined) {
    const answered = await answerByItself(attempt, pending)
    if (answered.kind === 'needs-code') throw needsCode(pending.methods)
    if (answered.kind === 'verified') return signedIn(attempt, answered.jar)
  }
  const result = await logInWithPassword(attempt)
  if (typeof result !== 'string') throw needsCode(result.methods)
  return result
}

const needsCode = (methods: readonly string[]): NeedsPerson =>
  new NeedsPerson('needs-2fa', `VRChat asks for a code (${methods.join(', ')})`)

/** As a person asked for it: a new code is sent, but a login that still works is left alone. */
export const logInNow = async (attempt: Attempt): Promise<LoginResult> => {
  if ((await tryImported(attempt)) !== undefined) return { kind: 'ok' }
  const { jar } = attempt.stored
  if (jar !== undefined && (await isSignedIn(attempt, jar))) return { kind: 'ok' }
  // One that was refused before may be good from another address.
  if (attempt.credentials.password === undefined && (await importCookie(attempt)) !== undefined) {
    return { kind: 'ok' }
  }
  const result = await logInWithPassword(attempt)
  return typeof result === 'string' ? { kind: 'ok' } : { kind: 'challenge', methods: result.methods }
}

/** The imported cookie, unless this very one was tried before. */
const tryImported = async (attempt: Attempt): Promise<Jar | undefined> => {
  const { authCookie } = attempt.credentials
  const known = authCookie === undefined || fingerprint(authCookie) === attempt.stored.imported
  return known ? undefined : importCookie(attempt)
}

const importCookie = async (attempt: Attempt): Promise<Jar | undefined> => {
  const { authCookie } = attempt.credentials
  if (authCookie === undefined) return undefined
  const jar = importedJar(authCookie, attempt.baseUrl)
  const alive = await isSignedIn(attempt, jar)
  const imported = fingerprint(authCookie)
  await save(attempt, alive ? { v: 1, jar, imported } : { ...attempt.stored, imported })
  return alive ? jar : undefined
}

const logInWithPassword = async (
  attempt: Attempt,
): Promise<Jar | { readonly methods: readonly string[] }> => {
  const { account, baseUrl, stored } = attempt
  if (attempt.credentials.username === undefined || attempt.credentials.password === undefined) {
    throw new NeedsPerson('needs-login', 'the login has ended, and no user name and password are stored')
  }
  await account.login.spend()
  const result = await passwordLogin(attempt, attempt.credentials, secondFactorOnly(stored.jar, baseUrl))
  if (result.kind === 'in') return signedIn(attempt, result.jar)
  // Kept apart from a real login, so that the code can be handed in by another process, or after a restart.
  const pending = { jar: result.jar, methods: [...result.methods] }
  await save(attempt, { ...stored, pending })
  const answered = await answerByItself(attempt, pending)
  return answered.kind === 'verified' ? signedIn(attempt, answered.jar) : { methods: result.methods }
}

type Answered =
  | { readonly kind: 'verified'; readonly jar: Jar }
  | { readonly kind: 'needs-code' }
  | { readonly kind: 'gone' }

/** Answers a demand for an authenticator's code from the stored secret; a refused code once more, when it is new. */
const answerByItself = async (
  attempt: Attempt,
  { jar, methods }: { readonly jar: Jar; readonly methods: readonly string[] },
): Promise<Answered> => {
  const { totpSecret } = attempt.credentials
  if (totpSecret === undefined || !methods.includes('totp')) return { kind: 'needs-code' }
  for (let tries = 1; ; tries++) {
    // VRChat judges the code by its own clock.
    const ahead = attempt.wire.serverAhead(attempt.account) ?? 0
    const { code, leftMs } = totpCode(totpSecret, attempt.now() + ahead)
    const result = await verifyCode(attempt, jar, { method: 'totp', code })
    if (result.kind !== 'refused') return result
    if (tries === 2) return { kind: 'needs-code' }
    await pause(Math.min(leftMs + 500, attempt.codeMs), attempt.signal)
  }
}

export const answerCode = async (attempt: Attempt, { method, code }: Challenge): Promise<LoginResult> => {
  const { pending } = attempt.stored
  if (pending === undefined) {
    throw new FatalError('bad-request', 'no login of this account waits for a code: log in first')
  }
  const known = ['totp', 'otp', 'emailOtp'].find((name) => name.toLowerCase() === method.toLowerCase())
  if (known === undefined) {
    throw new FatalError(
      'bad-request',
      `the method is one of ${pending.methods.join(', ')}; otp is a recovery code`,
    )
  }
  const result = await verifyCode(attempt, pending.jar, { method: known, code: code.replace(/\s/g, '') })
  if (result.kind === 'refused') throw new FatalError('bad-request', 'VRChat refused the code')
  if (result.kind === 'gone') {
    await save(attempt, { ...attempt.stored, pending: undefined })
    throw new FatalError('bad-request', 'the login that waited for this code has ended: log in again')
  }
  await signedIn(attempt, result.jar)
  return { kind: 'ok' }
}
