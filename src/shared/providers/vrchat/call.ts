import pRetry from 'p-retry'
import { NeedsPerson, Unreachable } from '#shared/errors.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { AccountAccess } from '../provider.ts'
import { readError, refusalOf } from './answers.ts'
import type { ApiCall } from './api.ts'
import type { Timing } from './deps.ts'
import { cookieValue } from './jar.ts'
import type { Cookies, Logins } from './login.ts'
import { settingsOf } from './request.ts'
import { asked, type ApiRequest, type Wire } from './wire.ts'

interface CallDeps {
  readonly wire: Wire
  readonly logins: Logins
  readonly timing: Timing
}

// One stored login may be found outdated twice, by other processes; each of our own is the last try.
const MOST_TRIES = 3
const MOST_RETRY_MS = 10_000

/** Calls of one account: logged in, again if need be, and with everything but a success thrown. */
export const createCall = (deps: CallDeps, account: AccountAccess, signal: AbortSignal): ApiCall => {
  const { baseUrl } = settingsOf(account)
  const call = async (request: ApiRequest): Promise<HttpAnswer> => {
    const { logins } = deps
    let fresh = false
    let cookies = await logins.current(account, signal)
    for (let tries = 1; ; tries++) {
      const answer = await sendOnce(deps, account, { ...request, cookie: cookies.header, signal })
      if (!(await isLoginGone({ logins, account, signal }, answer, cookies))) {
        await keepNewCookies({ logins, account, signal }, answer, cookies)
        if (answer.status < 300 || (request.stream === true && answer.status < 400)) return answer
        throw refusalOf(answer, asked(baseUrl, request))
      }
      if (fresh || tries === MOST_TRIES) {
        throw new NeedsPerson('needs-login', `${asked(baseUrl, request).what} → 401 even after a new login`)
      }
      ;({ fresh, ...cookies } = await logins.renew(account, cookies, signal))
    }
  }
  return Object.assign(call, { baseUrl })
}

/** One request; reads that failed by the other side's trouble at most twice more, within ten seconds. */
const sendOnce = async (
  { wire, timing }: CallDeps,
  account: AccountAccess,
  { signal, ...request }: ApiRequest & { readonly cookie: string; readonly signal: AbortSignal },
): Promise<HttpAnswer> => {
  if (request.method !== 'GET' || request.once === true) return wire.send(account, request, signal)
  return pRetry(() => wire.send(account, request, signal), {
    retries: 2,
    minTimeout: timing.retryMs,
    maxRetryTime: MOST_RETRY_MS,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => error instanceof Unreachable,
  })
}

interface Caller {
  readonly logins: Logins
  readonly account: AccountAccess
  readonly signal: AbortSignal
}

/**
 * A 403 can mean this file, or that the cookie is no longer good from this address; only the second is
 * for a new login, and only `GET /auth` knows.
 */
const isLoginGone = async (
  { logins, account, signal }: Caller,
  answer: HttpAnswer,
  cookies: Cookies,
): Promise<boolean> => {
  if (answer.status === 401) return true
  if (answer.status !== 403) return false
  const { json, waf } = readError(answer)
  return json && !waf && !(await logins.isAlive(account, cookies, signal))
}

const keepNewCookies = async (
  { logins, account, signal }: Caller,
  { setCookies }: HttpAnswer,
  used: Cookies,
): Promise<void> => {
  const { baseUrl } = settingsOf(account)
  const replaces = (name: string): boolean => {
    const value =
      setCookies
        .find((line) => line.startsWith(`${name}=`))
        ?.slice(name.length + 1)
        .split(';')[0] ?? ''
    return value !== '' && value !== cookieValue(used.jar, baseUrl, name)
  }
  if (['auth', 'twoFactorAuth'].some(replaces)) await logins.absorb(account, used, { setCookies, signal })
}
