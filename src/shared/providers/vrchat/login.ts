import { seenOnce } from '../parsed.ts'
import type { AccountAccess, Challenge, LoginResult } from '../provider.ts'
import { answerCode, logInAgain, logInNow, sameCookies, sameLogin, save, type Attempt } from './attempt.ts'
import { cookieHeader, parseLogin, withSetCookies, type Jar } from './jar.ts'
import { credentials, seenCredentials, settingsOf } from './request.ts'
import { isSignedIn } from './sign-in.ts'
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
  readonly codeMs: number
}

export const createLogins = (deps: LoginDeps): Logins => ({
  current: async (account, signal) => {
    // One that is outdated is refused, and then loaded.
    const seen = seenCookies(account)
    if (seen !== undefined) return seen
    const first = await locked(deps, account, {
      signal,
      work: async (attempt) => attempt.stored.jar ?? logInAgain(attempt),
    })
    return sendable(account, first)
  },
  renew: (account, refused, signal) => {
    const work = async (attempt: Attempt): Promise<Cookies & { fresh: boolean }> => {
      const { jar } = attempt.stored
      const fresh = jar === undefined || sameCookies(attempt, jar, refused.jar)
      return { ...sendable(account, fresh ? await logInAgain(attempt) : jar), fresh }
    }
    return locked(deps, account, { signal, work })
  },
  isAlive: (account, cookies, signal) => {
    const { baseUrl } = settingsOf(account)
    return isSignedIn({ wire: deps.wire, account, baseUrl, signal }, cookies.jar)
  },
  absorb: (account, used, { setCookies, signal }) => {
    const work = async (attempt: Attempt): Promise<void> => {
      const { stored, baseUrl } = attempt
      if (stored.jar === undefined || !sameLogin(attempt, stored.jar, used.jar)) return
      await save(attempt, { ...stored, jar: withSetCookies(stored.jar, baseUrl, setCookies) })
    }
    return locked(deps, account, { signal, work })
  },
  login: (account, signal) => locked(deps, account, { signal, work: logInNow }),
  answer: (account, challenge, signal) =>
    locked(deps, account, { signal, work: (attempt) => answerCode(attempt, challenge) }),
})

const locked = <T>(
  { wire, now, codeMs }: LoginDeps,
  account: AccountAccess,
  { signal, work }: { readonly signal: AbortSignal; readonly work: (attempt: Attempt) => Promise<T> },
): Promise<T> =>
  account.login.exclusive(signal, async () =>
    work({
      wire,
      account,
      signal,
      now,
      codeMs,
      baseUrl: settingsOf(account).baseUrl,
      // Loaded inside the lock: whoever waited for it may find the work done.
      stored: parseLogin(await account.login.load()),
      credentials: credentials.parse(await account.credentials()),
    }),
  )

const seenCookies = seenOnce((account, login): Cookies | undefined => {
  const { jar } = parseLogin(login)
  return jar === undefined ? undefined : sendable(account, jar)
})

const sendable = (account: AccountAccess, jar: Jar): Cookies => {
  const { baseUrl } = settingsOf(account)
  const { apiKey } = seenCredentials(account)
  const old = apiKey === undefined ? '' : `; apiKey=${apiKey}`
  return { jar, header: `${cookieHeader(jar, baseUrl)}${old}` }
}
