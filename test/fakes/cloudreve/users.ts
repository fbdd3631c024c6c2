import type { IncomingHttpHeaders } from 'node:http'
import { type Caller, createCaller } from '../http/calls.ts'
import type { UserSpec } from './options.ts'
import type { Tokens } from './tokens.ts'
import { type FileRecord, type Tree, createTree } from './tree.ts'

export interface User extends Required<Omit<UserSpec, 'totpSecret'>> {
  totpSecret: string | undefined
  /** Hash id. */
  id: string
  tree: Tree
  trash: FileRecord[]
  /** Bytes of all that is stored, in the trash too, and of what is reserved. */
  used: number
  caller: Caller
  stats: UserStats
}

export interface UserStats {
  /** Passwords that came, right or wrong. */
  logins: number
  /** Logins that gave tokens. */
  signedIn: number
  refreshes: number
  loginsUnderWay: number
}

export function createUser(spec: UserSpec, id: string): User {
  return {
    quota: Infinity,
    versionRetention: true,
    status: 'active',
    totpSecret: undefined,
    ...spec,
    id,
    tree: createTree(),
    trash: [],
    used: 0,
    caller: createCaller(spec.email),
    stats: { logins: 0, signedIn: 0, refreshes: 0, loginsUnderWay: 0 },
  }
}

export interface Identity {
  /** Undefined for anonymous callers, and for those whose token is void: the server makes no difference. */
  user: User | undefined
  /** Who it would be, were the token good. */
  claimed: string | undefined
}

export function identify(
  { users, tokens }: { users: ReadonlyMap<string, User>; tokens: Tokens },
  { authorization = '' }: IncomingHttpHeaders,
): Identity {
  const token = /^Bearer (?!Cr )(?<token>\S+)$/.exec(authorization)?.groups?.['token'] ?? ''
  return { user: users.get(tokens.userOf(token) ?? ''), claimed: tokens.claimedBy(token) }
}
