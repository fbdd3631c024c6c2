import type { Exchange } from '../http/exchange.ts'
import type { Faults } from '../http/faults.ts'
import type { Hooks, Ledger } from '../http/ledger.ts'
import type { Reply } from '../http/replies.ts'
import type { BlobDisk } from './content.ts'
import type { ApiError } from './envelope.ts'
import type { FaultRule } from './faults.ts'
import type { HookEvent, LedgerEntry } from './ledger.ts'
import type { Locks } from './locks.ts'
import type { Settings, Switches } from './options.ts'
import type { Abilities } from './server-version.ts'
import type { Sessions } from './sessions.ts'
import type { Store } from './stores/store.ts'
import type { Tokens } from './tokens.ts'
import type { Identity, User } from './users.ts'

/** What every handler works with. */
export interface Site {
  settings: Settings
  switches: Switches
  abilities: Abilities
  /** Such as `http://127.0.0.1:40000`. */
  origin: string
  ledger: Ledger<LedgerEntry>
  faults: Faults<FaultRule>
  hooks: Hooks<HookEvent>
  /** What the client did against the protocol, one sentence each. */
  violations: string[]
  /** Chunks that came again though they had been acknowledged. */
  resentAcknowledged: number
  users: Map<string, User>
  tokens: Tokens
  /** Short-lived facts of logins, by ticket or session: gone with the KV. */
  pending: { captchas: Map<string, string>; secondFactors: Map<string, PendingLogin> }
  sessions: Sessions
  locks: Locks
  disk: BlobDisk
  stores: Store[]
  downloads: Map<string, Download>
  /** The error that a write of the database meets now and then. */
  busy: () => ApiError | undefined
  /** Short ids as the API shows them; 0 is that of nothing. */
  hashId: (number: number) => string
  newId: () => string
  /** ms since 1970, on the clock that sessions and locks expire by. */
  now: () => number
}

interface PendingLogin {
  user: User
  expires: number
}

interface Download {
  user: User
  entityId: string
  name: string
  expires: number
}

/** One request to the site. */
export interface SiteExchange extends Exchange<LedgerEntry> {
  identity: Identity
  /** What the path names. */
  params: Record<string, string>
  /** Called when it is over, however it ended. */
  ends: (() => void)[]
}

export type Handler = (site: Site, exchange: SiteExchange) => Reply | Promise<Reply>
