import { FatalError, NeedsPerson } from '#shared/errors.ts'
import type { AccountAccess, Challenge, LoginResult } from '../provider.ts'
import { pause } from './deps.ts'
import {
  cookieHeader,
  cookieValue,
  fingerprint,
  importedJar,
  parseLogin,
  secondFactorOnly,
  withSetCookies,
  type Jar,
  type StoredLogin,
} from './jar.ts'
import { credentials, settings, type Credentials } from './request.ts'
import { isSignedIn, passwordLogin, totpCode, verifyCode, type SignIn } from './sign-in.ts'
import type { Wire } from './wire.ts'

export interface Cookies {
  readonly jar: Jar
  readonly header: string
}

/**
 * Logs accounts in: one at a time over all processes, and no more often than the store's budget allows,
 * because every password login costs a session and too many lock the account out for hours.
 */
export interface Logins {
  /** The stored login, or a first one. */
  readonly current: (account: AccountAccess, signal: AbortSignal) => Promise<Cookies>
  /** A login other than the refused one; `fresh` when it was made just now. */
  readonly renew: (
    account: AccountAccess,
    refused: Cookies,
    signal: AbortSignal,
  ) => Promise<Cookies & { readonly fresh: boolean }>
  readonly isAlive: (account: AccountAccess, cookies: Cookies, signal: AbortSignal) => Promise<boolean>
  /** Keeps cookies that an answer replaced, unless another login has come meanwhile. */
  readonly absorb: (
    account: AccountAccess,
    used: Cookies,
    change: { readonly setCookies: readonly string[]; readonly signal: AbortSignal },
  ) => Promise<void>
  readonly login: (account: AccountAccess, signal: AbortSignal) => Promise<LoginResult>
  readonly answer: (account: AccountAccess, challenge: Challenge, signal: AbortSignal) => Promise<LoginResult>
}

interface LoginDeps {
  readonly wire: Wire
  readonly now: () => number
}

/** One login under way, holding the account's login lock. */
interface Attempt extends SignIn {
  readonly stored: StoredLogin
  readonly credentials: Credentials
  readonly now: () => number
}

export const createLogins = ({ wire, now }: LoginDeps): Logins => {
  const on = (account: AccountAccess, signal: AbortSignal): SignIn => ({
    wire,
    account,
    baseUrl: settings.parse(account.settings).baseUrl,
    signal,
  })
  const locked = <T>(account: AccountAccess, signal: AbortSignal, work: (attempt: Attempt) => Promise<T>): Promise<T> =>
    account.login.exclusive(signal, async () =>
      // Loaded inside the lock: whoever waited for it may find the work done.
      work({
        ...on(account, signal),
        stored: parseLogin(await account.login.load()),
        credentials: credentials.parse(await account.credentials()),
        now,
      }),
    )
  const sendable = async (account: AccountAccess, jar: Jar): Promise<Cookies> => {
    const { baseUrl } = settings.parse(account.settings)
    const { apiKey } = credentials.parse(await account.credentials())
    const old = apiKey === undefined ? '' : `; apiKey=${apiKey}`
    return { jar, header: `${cookieHeader(jar, baseUrl)}${old}` }
  }
  return {
    current: async (account, signal) => {
      const { jar } = parseLogin(await account.login.load())
      if (jar !== undefined) return sendable(account, jar)
      return sendable(account, await locked(account, signal, (attempt) => attempt.stored.jar ?? logInAgain(attempt)))
    },
    renew: (account, refused, signal) =>
      locked(account, signal, async (attempt) => {
        const { jar } = attempt.stored
        if (jar !== undefined && !sameLogin(attempt, jar, refused.jar)) {
          return { ...(await sendable(account, jar)), fresh: false }
        }
        return { ...(await sendable(account, await logInAgain(attempt))), fresh: true }
      }),
    isAlive: (account, cookies, signal) => isSignedIn(on(account, signal), cookies.jar),
    absorb: (account, used, { setCookies, signal }) =>
      locked(account, signal, async (attempt) => {
        const { stored, baseUrl } = attempt
        if (stored.jar === undefined || !sameLogin(attempt, stored.jar, used.jar)) return
        await save(attempt, { ...stored, jar: withSetCookies(stored.jar, baseUrl, setCookies) })
      }),
    login: (account, signal) => locked(account, signal, logInNow),
    answer: (account, challenge, signal) => locked(account, signal, (attempt) => answerCode(attempt, challenge)),
  }
}

const save = ({ account }: Attempt, login: StoredLogin): Promise<void> => account.login.save(JSON.stringify(login))

const signedIn = async (attempt: Attempt, jar: Jar): Promise<Jar> => {
  await save(attempt, { v: 1, jar, imported: attempt.stored.imported })
  return jar
}

const sameLogin = ({ baseUrl }: Attempt, a: Jar, b: Jar): boolean =>
  cookieValue(a, baseUrl, 'auth') === cookieValue(b, baseUrl, 'auth')

/** Without a person: imported cookie, half-made login, password; in this order, as each costs more. */
const logInAgain = async (attempt: Attempt): Promise<Jar> => {
  const imported = await tryImported(attempt)
  if (imported !== undefined) return imported
  const { pending } = attempt.stored
  if (pending !== undefined) {
    const jar = await answerByItself(attempt, pending)
    if (jar === 'needs-code') throw needsCode(pending.methods)
    if (jar !== 'gone') return signedIn(attempt, jar)
  }
  const result = await logInWithPassword(attempt)
  if (typeof result !== 'string') throw needsCode(result.methods)
  return result
}

const needsCode = (methods: readonly string[]): NeedsPerson =>
  new NeedsPerson('needs-2fa', `VRChat asks for a code (${methods.join(', ')})`)

/** As a person asked for it: a new code is sent, but a login that still works is left alone. */
const logInNow = async (attempt: Attempt): Promise<LoginResult> => {
  if ((await tryImported(attempt)) !== undefined) return { kind: 'ok' }
  const { jar } = attempt.stored
  if (jar !== undefined && (await isSignedIn(attempt, jar))) return { kind: 'ok' }
  const result = await logInWithPassword(attempt)
  return typeof result === 'string' ? { kind: 'ok' } : { kind: 'challenge', methods: result.methods }
}

const tryImported = async (attempt: Attempt): Promise<Jar | undefined> => {
  const { authCookie } = attempt.credentials
  if (authCookie === undefined) return undefined
  const imported = fingerprint(authCookie)
  if (attempt.stored.imported === imported) return undefined
  const jar = importedJar(authCookie, attempt.baseUrl)
  const alive = await isSignedIn(attempt, jar)
  await save(attempt, alive ? { v: 1, jar, imported } : { ...attempt.stored, imported })
  return alive ? jar : undefined
}

const logInWithPassword = async (attempt: Attempt): Promise<Jar | { readonly methods: readonly string[] }> => {
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
  const jar = await answerByItself(attempt, pending)
  return jar === 'needs-code' || jar === 'gone' ? { methods: result.methods } : signedIn(attempt, jar)
}

/** Answers a demand for an authenticator's code from the stored secret; a refused code once more, when it is new. */
const answerByItself = async (
  attempt: Attempt,
  { jar, methods }: { readonly jar: Jar; readonly methods: readonly string[] },
): Promise<Jar | 'needs-code' | 'gone'> => {
  const { totpSecret } = attempt.credentials
  if (totpSecret === undefined || !methods.includes('totp')) return 'needs-code'
  for (let tries = 1; ; tries++) {
    // VRChat judges the code by its own clock.
    const ahead = attempt.wire.serverAhead(attempt.account) ?? 0
    const { code, leftMs } = totpCode(totpSecret, attempt.now() + ahead)
    const result = await verifyCode(attempt, jar, { method: 'totp', code })
    if (result.kind === 'verified') return result.jar
    if (result.kind === 'gone') return 'gone'
    if (tries === 2) return 'needs-code'
    await pause(leftMs + 500, attempt.signal)
  }
}

const answerCode = async (attempt: Attempt, { method, code }: Challenge): Promise<LoginResult> => {
  const { pending } = attempt.stored
  if (pending === undefined) {
    throw new FatalError('bad-request', 'no login of this account waits for a code: log in first')
  }
  const known = ['totp', 'otp', 'emailOtp'].find((name) => name.toLowerCase() === method.toLowerCase())
  if (known === undefined) {
    throw new FatalError('bad-request', `the method is one of ${pending.methods.join(', ')}; otp is a recovery code`)
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
