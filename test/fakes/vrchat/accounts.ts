import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { type Caller, createCaller } from '../http/calls.ts'
import type { LedgerEntry } from './ledger.ts'
import type { SecondFactor, UserSpec } from './options.ts'

export interface Session {
  token: string
  account: Account
  /** False until the second factor was given, where there is one. */
  verified: boolean
  /** The login that made it: a session whose cookie never arrived counts differently. */
  login: LedgerEntry
}

export interface Account {
  id: string
  username: string
  password: string
  secondFactor: SecondFactor
  recoveryCodes: Set<string>
  sessions: Map<string, Session>
  lastLogin: Session | undefined
  lastRefusal: { password: string; at: number } | undefined
  caller: Caller
}

export interface Identity {
  /** The Basic credentials, when the request carries some. */
  basic: { username: string; password: string } | undefined
  session: Session | undefined
  /** Whose twoFactorAuth cookie came along, checked. */
  twoFactorFor: string | undefined
  username: string | undefined
}

export interface Accounts {
  byName: Map<string, Account>
  add: (spec: UserSpec) => Account
  identify: (headers: IncomingHttpHeaders) => Identity
  openSession: (account: Account, login: LedgerEntry, verified: boolean) => Session
  close: (session: Session) => void
  expireSessions: () => void
  forgetSecondFactors: () => void
  twoFactorToken: (account: Account) => string
}

export function createAccounts(): Accounts {
  const byName = new Map<string, Account>()
  const sessions = new Map<string, Session>()
  /** Whose a cookie was: the ledger names the caller though the session is gone. */
  const retired = new Map<string, string>()
  let jwtKey = randomBytes(32)

  function add(spec: UserSpec): Account {
    const account: Account = {
      id: `usr_${randomUUID()}`,
      username: spec.username,
      password: spec.password,
      secondFactor: spec.secondFactor ?? { kind: 'none' },
      recoveryCodes: new Set(spec.recoveryCodes),
      sessions: new Map(),
      lastLogin: undefined,
      lastRefusal: undefined,
      caller: createCaller(spec.username),
    }
    byName.set(spec.username, account)
    return account
  }

  function identify(headers: IncomingHttpHeaders): Identity {
    const cookies = parseCookies(headers.cookie)
    const token = cookies.get('auth') ?? ''
    const session = sessions.get(token)
    const basic = parseBasic(headers.authorization)
    const twoFactorFor = verifyToken(cookies.get('twoFactorAuth') ?? '', jwtKey)
    const username = basic?.username ?? session?.account.username ?? retired.get(token)
    return { basic, session, twoFactorFor, username }
  }

  function openSession(account: Account, login: LedgerEntry, verified: boolean): Session {
    const session = { token: `authcookie_${randomUUID()}`, account, verified, login }
    sessions.set(session.token, session)
    account.sessions.set(session.token, session)
    account.lastLogin = session
    return session
  }

  function close(session: Session): void {
    retired.set(session.token, session.account.username)
    sessions.delete(session.token)
    session.account.sessions.delete(session.token)
  }

  return {
    byName,
    add,
    identify,
    openSession,
    close,
    expireSessions: () => {
      for (const session of sessions.values()) close(session)
    },
    forgetSecondFactors: () => {
      jwtKey = randomBytes(32)
    },
    twoFactorToken: (account) => signToken(account, jwtKey),
  }
}

function parseCookies(header = ''): Map<string, string> {
  const pairs = header.split(';').map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, Math.max(at, 0)).trim(), pair.slice(at + 1).trim()]
  })
  return new Map(pairs)
}

/** `base64(enc(user) ":" enc(password))`, where `enc` is percent-encoding. */
function parseBasic(header = ''): Identity['basic'] {
  const encoded = /^Basic (?<encoded>\S+)$/i.exec(header)?.groups?.['encoded']
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return { username: percentDecoded(text.slice(0, colon)), password: percentDecoded(text.slice(colon + 1)) }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A bare percent sign: not encoded, so not credentials anyone has.
    return '\0'
  }
}

const TWO_FACTOR_SECONDS = 30 * 24 * 3600

function signToken({ id }: Account, key: Buffer): string {
  const iat = Math.floor(Date.now() / 1000)
  const claims = {
    userId: id,
    macAddress: '',
    timestamp: Date.now(),
    version: 1,
    iat,
    exp: iat + TWO_FACTOR_SECONDS,
    aud: 'VRChatTwoFactorAuth',
    iss: 'VRChat',
    jti: randomUUID(),
  }
  const signed = [{ alg: 'HS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

function verifyToken(token: string, key: Buffer): string | undefined {
  const [header, claims, signature] = token.split('.')
  const expected = createHmac('sha256', key).update(`${header}.${claims}`).digest('base64url')
  if (claims === undefined || signature !== expected) return undefined
  return claimsSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'))).userId
}

const claimsSchema = z.looseObject({ userId: z.string() })
