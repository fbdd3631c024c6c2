import type { Entity, FileRecord } from './tree.ts'
import type { Policy } from './options.ts'
import type { Store } from './stores/store.ts'
import type { User } from './users.ts'

/** An upload session as the site's KV has it. Sizes in bytes, times in ms. */
export interface Session {
  id: string
  user: User
  file: FileRecord
  entity: Entity
  size: number
  /** As told to the client; 0 for one single chunk. */
  chunkSize: number
  policy: Policy
  /** Undefined where the site takes the bytes itself. */
  store: Store | undefined
  expires: number
  callbackSecret: string
  lockToken: string
  lastModified: number
  metadata: Record<string, string>
  isVersion: boolean
  /** Chunks that are there in full. */
  received: Set<number>
  /** Chunks on their way at this moment. */
  underWay: Set<symbol>
  /** The provider's upload was dropped by the task that comes after its expiry. */
  sentinelDone: boolean
}

export interface Sessions {
  /** Undefined too when it expired or ended. */
  live: (id: string) => Session | undefined
  /** Also what ended: to name the user of a late request. */
  ever: (id: string) => Session | undefined
  all: () => Session[]
  add: (session: Session) => void
  end: (id: string) => void
  forgetAll: () => void
  /** Those that ran out without an end, oldest first. */
  expired: () => Session[]
}

export function createSessions(now: () => number): Sessions {
  const known = new Map<string, Session>()
  const live = new Map<string, Session>()
  const isAlive = ({ expires }: Session): boolean => expires > now()
  return {
    live: (id) => {
      const session = live.get(id)
      return session !== undefined && isAlive(session) ? session : undefined
    },
    ever: (id) => known.get(id),
    all: () => [...live.values()].filter(isAlive),
    add: (session) => {
      known.set(session.id, session)
      live.set(session.id, session)
    },
    end: (id) => {
      live.delete(id)
    },
    forgetAll: () => live.clear(),
    expired: () => [...live.values()].filter((session) => !isAlive(session)),
  }
}

/** How many chunks the client has to send: an empty file has one too. */
export function chunkCount({ size, chunkSize }: Pick<Session, 'size' | 'chunkSize'>): number {
  return chunkSize === 0 ? 1 : Math.max(1, Math.ceil(size / chunkSize))
}
