import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { createAccounts } from '#shared/accounts/accounts.ts'
import { createKeys } from '#shared/keys.ts'
import type { Keys } from '#shared/keys.ts'
import { createOverview } from '#shared/records/overview.ts'
import { createParts } from '#shared/records/parts.ts'
import { createScripts } from '#shared/records/scripts.ts'
import { createUploads } from '#shared/records/uploads.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { createSecrets } from '#shared/secrets.ts'
import { createWorld, LEDGER_CAP } from './world.ts'
import type { World } from './world.ts'

/** A process's hold on a job: what it read of the upload, however long ago. */
export interface Worker {
  readonly process: number
  readonly instance: string
  readonly job: string
  record: UploadRecord
}

/** Which epoch of an upload it was opened for. */
export interface Session {
  readonly id: string
  readonly epoch: number
}

/** The real thing and the world that it is compared with, side by side. */
export interface Stage {
  readonly world: World
  readonly redis: Redis
  readonly keys: Keys
  readonly real: Real
  /** By number: how often each process was started. */
  readonly processes: number[]
  workers: Worker[]
  /** Every session that was ever opened: parts of them may still be on their way. */
  readonly sessions: Session[]
  made: number
  readonly log: string[]
}

/** What is left to chance in a step: `of` chooses among so many, `reply` is whether its answer is lost. */
export interface Chance {
  readonly of: <T>(choices: readonly T[]) => T | undefined
  readonly isLost: boolean
}

/** Does the same to both, and answers what that was; `undefined` when there was nothing to do it to. */
export type Step = (stage: Stage, chance: Chance) => Promise<string | undefined>

type Real = ReturnType<typeof openReal>

/** What the scripts are called through; on a Redis of its own. */
export function openReal(redis: Redis) {
  const keys = createKeys('{model}')
  const run = createScripts(redis, keys)
  const secrets = createSecrets(randomBytes(32))
  return {
    redis,
    keys,
    run,
    uploads: createUploads({ redis, keys, run, retainVersions: LEDGER_CAP, crashWindowMs: 0 }),
    parts: createParts({ redis, keys, run }),
    accounts: createAccounts({ redis, keys, run, secrets }),
    overview: createOverview({ redis, keys }),
  }
}

export const ACCOUNTS = { a: 2, b: 1, c: 3 } as const
export type AccountId = keyof typeof ACCOUNTS

/** Nothing is in it but its accounts. */
export async function openStage(real: Real): Promise<Stage> {
  await real.redis.flushall()
  const { redis, keys } = real
  const stage = { redis, keys, real, processes: [1, 1, 1], workers: [], sessions: [], made: 0, log: [] }
  const opened: Stage = { ...stage, world: createWorld() }
  for (const id of accountIds) await addAccount(opened, id)
  return opened
}

export const accountIds: readonly AccountId[] = ['a', 'b', 'c']

export async function addAccount({ world, real }: Stage, id: AccountId): Promise<boolean> {
  const limits = { maxActiveUploads: ACCOUNTS[id], partsAtOnce: 3, callsAtOnce: 1, callSpacingMs: 0 }
  const added = await real.accounts.create({ id, provider: 'vrchat', settings: {}, credentials: {}, limits })
  if (added) world.accounts.set(id, { most: ACCOUNTS[id], state: 'ready', isParked: false })
  return added
}
