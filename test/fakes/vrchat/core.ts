import type { Exchange as AnyExchange } from '../http/exchange.ts'
import type { Faults } from '../http/faults.ts'
import type { Hooks } from '../http/ledger.ts'
import type { PartDisk } from '../http/part-disk.ts'
import type { Accounts, Identity } from './accounts.ts'
import type { FaultRule } from './faults.ts'
import type { FileStore } from './file-store.ts'
import type { Grants } from './grants.ts'
import type { HookEvent, LedgerEntry } from './ledger.ts'
import type { Settings } from './options.ts'

/** What every handler works with. */
export interface Core {
  settings: Settings
  urls: { api: string; storage: string; control: string }
  ledger: { entries: LedgerEntry[] }
  faults: Faults<FaultRule>
  /** What the client did against the protocol, one sentence each. */
  violations: string[]
  accounts: Accounts
  store: FileStore
  disk: PartDisk
  grants: Grants
  hooks: Hooks<HookEvent>
}

export interface Exchange extends AnyExchange<LedgerEntry> {
  identity: Identity
}
