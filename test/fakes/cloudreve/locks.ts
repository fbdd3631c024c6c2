import { randomUUID } from 'node:crypto'
import { uriOf } from './uris.ts'

interface Lock {
  token: string
  user: string
  path: string
  /** Whose upload holds it; undefined for one that a single call holds. */
  sessionId: string | undefined
  expires: number
}

/** Locks on paths, in the memory of the process: a restart forgets them all. */
export interface Locks {
  take: (lock: Omit<Lock, 'token'>) => Lock
  isHeld: (token: string) => boolean
  /** The lock on this very path. */
  on: (user: string, path: string) => Lock | undefined
  /** Locks on this path and on all below it. */
  within: (user: string, path: string) => Lock[]
  release: (token: string) => void
  clear: () => void
}

export function createLocks(now: () => number): Locks {
  const locks = new Map<string, Lock>()
  const byPath = new Map<string, Lock>()
  const keyOf = ({ user, path }: Pick<Lock, 'user' | 'path'>): string => `${user} ${path}`

  function release(token: string): void {
    const lock = locks.get(token)
    if (lock !== undefined) byPath.delete(keyOf(lock))
    locks.delete(token)
  }

  function alive(lock: Lock | undefined): Lock | undefined {
    if (lock === undefined || lock.expires > now()) return lock
    release(lock.token)
    return undefined
  }

  return {
    take: (wanted) => {
      const lock = { ...wanted, token: randomUUID() }
      locks.set(lock.token, lock)
      byPath.set(keyOf(lock), lock)
      return lock
    },
    isHeld: (token) => alive(locks.get(token)) !== undefined,
    on: (user, path) => alive(byPath.get(keyOf({ user, path }))),
    within: (user, path) =>
      [...locks.values()].filter(
        (lock) =>
          lock.user === user &&
          (lock.path === path || lock.path.startsWith(`${path}/`)) &&
          alive(lock) !== undefined,
      ),
    release,
    clear: () => {
      locks.clear()
      byPath.clear()
    },
  }
}

/** As `data` of 40073 names them. */
export function lockViews(locks: Lock[]): unknown[] {
  return locks.map(({ path, token }) => ({
    path: uriOf(path),
    token,
    type: 0,
    owner: { application: { type: 'upload' } },
  }))
}
