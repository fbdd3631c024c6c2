import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'
import { createChanges } from './changes.ts'
import { createCommands } from './commands.ts'
import { createReads } from './reads.ts'
import type { RunScript } from './scripts.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly run: RunScript
  /** Ledger entries kept per destination. */
  readonly retainVersions: number
  /** Processes that die within this time of each other count as one crash, in ms. */
  readonly crashWindowMs: number
}

/** The records of all uploads: the truth about them. Changed only through the scripts. */
export const createUploads = (deps: Deps) => ({
  ...createReads(deps),
  ...createChanges(deps),
  ...createCommands(deps),
})

export type Uploads = ReturnType<typeof createUploads>
