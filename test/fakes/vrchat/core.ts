import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Accounts, Identity } from './accounts.ts'
import type { FaultAction, Faults } from './faults.ts'
import type { FileStore } from './file-store.ts'
import type { Grants } from './grants.ts'
import type { Hooks, LedgerEntry } from './ledger.ts'
import type { Settings } from './options.ts'
import type { PartDisk } from './part-disk.ts'

/** What every handler works with. */
export interface Core {
  settings: Settings
  urls: { api: string; storage: string; control: string }
  ledger: { entries: LedgerEntry[] }
  faults: Faults
  /** What the client did against the protocol, one sentence each. */
  violations: string[]
  accounts: Accounts
  store: FileStore
  disk: PartDisk
  grants: Grants
  hooks: Hooks
}

/** One request on its way through the fake. */
export interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  /** Kept apart: the request lets go of it when it ends early. */
  socket: Socket
  url: URL
  entry: LedgerEntry
  identity: Identity
  fault: FaultAction | undefined
}
