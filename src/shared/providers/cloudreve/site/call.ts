import pRetry from 'p-retry'
import { z } from 'zod'
import { NeedsPerson, Unreachable } from '#shared/errors.ts'
import type { AccountAccess } from '../../provider.ts'
import type { ApiCall } from './api.ts'
import { errorOf, isLoginGone, SiteTrouble } from './codes.ts'
import type { Timing } from '../deps.ts'
import { readData, type Envelope } from './envelope.ts'
import type { Logins, Renewed } from '../login/login.ts'
import { seenCredentials, settingsOf } from '../request.ts'
import { asked, type ApiRequest, type Wire, type WireRequest } from './wire.ts'

interface CallDeps {
  readonly wire: Wire
  readonly logins: Logins
  readonly timing: Timing
}

interface Caller extends CallDeps {
  readonly account: AccountAccess
  readonly signal: AbortSignal
}

// A stored login may be found outdated by another process, then a refreshed one be refused, then one by password.
const MOST_TRIES = 4
const MOST_RETRY_MS = 10_000

/** Calls of one account: with its token, a new one if need be, and with everything but a success thrown. */
export const createCall = (deps: CallDeps, account: AccountAccess, signal: AbortSignal): ApiCall => {
  const caller = { ...deps, account, signal }
  const { baseUrl } = settingsOf(account)
  const call = async <T>(request: ApiRequest, data: z.ZodType<T>): Promise<T> => {
    const place = asked(baseUrl, request)
    const read = (given: unknown): T => readData(given, place, data)
    const { purchaseTicket } = seenCredentials(account)
    const sending = { ...request, ticket: purchaseTicket, check: read }
    const answer = await (request.anonymous === true ? sendOnce(caller, sending) : sendAs(caller, sending))
    if (answer.code === 0) return read(answer.data)
    throw errorOf(answer.said)
  }
  const askVersion = (): Promise<string> =>
    call({ method: 'GET', path: '/site/ping', anonymous: true, repeat: true }, z.string())
  return Object.assign(call, {
    baseUrl,
    tokenId: () => deps.logins.tokenId(account),
    version: () => deps.wire.version(account, askVersion),
  })
}

/** As the account; a login that is no longer good is renewed, and the request sent again. */
const sendAs = async (caller: Caller, request: WireRequest): Promise<Envelope> => {
  const { logins, account, signal } = caller
  let login: Renewed = { token: await logins.current(account, signal), by: 'known' }
  for (let tries = 1; ; tries++) {
    const answer = await sendOnce(caller, { ...request, token: login.token })
    if (!isLoginGone(answer.code)) return answer
    if (login.by === 'password' || tries === MOST_TRIES) {
      throw new NeedsPerson('needs-login', `${errorOf(answer.said).message}; it was renewed a moment ago`)
    }
    login = await logins.renew(account, login, signal)
  }
}

/** One request; one that may be repeated at most twice more within ten seconds, if the site is in trouble. */
const sendOnce = async (
  { wire, timing, account, signal }: Caller,
  request: WireRequest,
): Promise<Envelope> => {
  if (request.repeat !== true) return wire.send(account, request, signal)
  const send = async (): Promise<Envelope> => {
    const answer = await wire.send(account, request, signal)
    const error = answer.code === 0 ? undefined : errorOf(answer.said)
    if (error instanceof SiteTrouble) throw error
    return answer
  }
  return pRetry(send, {
    retries: 2,
    minTimeout: timing.retryMs,
    maxRetryTime: MOST_RETRY_MS,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => error instanceof Unreachable || error instanceof SiteTrouble,
  })
}
