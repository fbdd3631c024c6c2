import { TryLater, Unreachable } from '#shared/errors.ts'
import type { AccountAccess, Challenge, LoginResult } from '../../provider.ts'
import { fingerprint } from '../../fingerprint.ts'
import { seenOnce } from '../../parsed.ts'
import type { Attempt } from './attempt.ts'
import { logInAgain, logInByPassword } from './by-itself.ts'
import { answerCode, logInNow } from './by-person.ts'
import { SiteTrouble } from '../site/codes.ts'
import { credentials, settingsOf } from '../request.ts'
import { siteNow } from './sign-in.ts'
import { isDue, parseLogin, type Tokens } from './tokens.ts'
import type { Wire } from '../site/wire.ts'

/** An access token, and how it came to be: `known` is what was there already. */
export interface Renewed {
  readonly token: string
  readonly by: 'known' | 'refresh' | 'password'
}

/**
 * Logs accounts in: one at a time over all processes, by password no more often than the store's budget allows, and
 * before the old token ends.
 */
export interface Logins {
  /** The token to send with: the stored one, a new one when that is about to end, or a first one. */
  readonly current: (account: AccountAccess, signal: AbortSignal) => Promise<string>
  /** Another token than the refused one; by password, when it was refreshed a moment ago and still refused. */
  readonly renew: (account: AccountAccess, refused: Renewed, signal: AbortSignal) => Promise<Renewed>
  /** Names the token that was last seen. */
  readonly tokenId: (account: AccountAccess) => string | undefined
  readonly login: (account: AccountAccess, signal: AbortSignal) => Promise<LoginResult>
  readonly answer: (account: AccountAccess, challenge: Challenge, signal: AbortSignal) => Promise<LoginResult>
}

interface LoginDeps {
  readonly wire: Wire
  readonly now: () => number
  readonly codeMs: number
}

export const createLogins = (deps: LoginDeps): Logins => {
  // By account: what was refused is not sent again while no other can be had, as a chunk may be behind it.
  const dead = new Map<string, string>()
  return {
    current: (account, signal) => currentToken(deps, account, { signal, dead: dead.get(account.id) }),
    renew: async (account, refused, signal) => {
      dead.set(account.id, refused.token)
      return renewed(deps, account, { refused, signal })
    },
    tokenId: (account) => {
      const seen = seenTokens(account)
      return seen && fingerprint(seen.access)
    },
    login: (account, signal) => locked(deps, account, { signal, work: logInNow }),
    answer: (account, challenge, signal) =>
      locked(deps, account, { signal, work: (attempt) => answerCode(attempt, challenge) }),
  }
}

const currentToken = async (
  deps: LoginDeps,
  account: AccountAccess,
  { signal, dead }: { readonly signal: AbortSignal; readonly dead: string | undefined },
): Promise<string> => {
  const now = (): number => siteNow({ ...deps, account, signal })
  const good = (tokens: Tokens | undefined): Tokens | undefined =>
    tokens === undefined || tokens.access === dead || isDue(tokens, now()) ? undefined : tokens
  const seen = good(seenTokens(account))
  if (seen !== undefined) return seen.access
  const work = async (attempt: Attempt): Promise<Tokens> => {
    const { tokens } = attempt.stored
    const found = good(tokens)
    if (found !== undefined) return found
    return tokens?.access === dead ? (await logInAgain(attempt)).tokens : ahead(attempt)
  }
  return (await locked(deps, account, { signal, work })).access
}

const renewed = (
  deps: LoginDeps,
  account: AccountAccess,
  { refused, signal }: { readonly refused: Renewed; readonly signal: AbortSignal },
): Promise<Renewed> => {
  const work = async (attempt: Attempt): Promise<Renewed> => {
    const { tokens } = attempt.stored
    if (tokens !== undefined && tokens.access !== refused.token) return { token: tokens.access, by: 'known' }
    const made = await (refused.by === 'refresh' ? logInByPassword(attempt) : logInAgain(attempt))
    return { token: made.tokens.access, by: made.by }
  }
  return locked(deps, account, { signal, work })
}

/** A new token while the old one still lasts: when the site can not give one now, the old one goes on. */
const ahead = async (attempt: Attempt): Promise<Tokens> => {
  const { tokens } = attempt.stored
  try {
    return (await logInAgain(attempt)).tokens
  } catch (error) {
    const passes = error instanceof Unreachable || error instanceof SiteTrouble || error instanceof TryLater
    if (passes && tokens !== undefined && siteNow(attempt) < tokens.accessUntil) return tokens
    throw error
  }
}

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

const seenTokens = seenOnce((_, login): Tokens | undefined => parseLogin(login).tokens)
