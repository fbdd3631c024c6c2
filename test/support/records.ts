import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { z } from 'zod'
import { connectRedis, waitForRedis } from '#shared/redis/connect.ts'
import { newUploadId } from '#shared/ids.ts'
import type { Keys } from '#shared/keys.ts'
import { createKeys } from '#shared/keys.ts'
import type { Limits } from '#shared/providers/provider.ts'
import type { Accepted, Idempotency, NewUpload } from '#shared/records/commands.ts'
import { uploadStates } from '#shared/records/upload.ts'
import type { UploadRecord, UploadState } from '#shared/records/upload.ts'
import { createSecrets } from '#shared/secrets.ts'
import { openStores } from '#shared/stores.ts'
import type { Stores } from '#shared/stores.ts'

interface Wanted {
  readonly account?: string
  readonly to?: string
  /** The destination is a name, bound to it or not. */
  readonly name?: string
  readonly fresh?: true
  readonly priority?: number
  readonly idempotency?: Idempotency
}

/** The records of one service on a prefix of its own, without any worker. */
export interface Records extends AsyncDisposable {
  readonly stores: Stores
  readonly keys: Keys
  readonly addAccount: (id: string, limits?: Partial<Limits>) => Promise<void>
  readonly newUpload: (wanted?: Wanted) => NewUpload
  readonly accept: (wanted?: Wanted) => Promise<string>
  readonly tryAccept: (wanted?: Wanted) => Promise<Accepted>
  readonly read: (id: string) => Promise<UploadRecord>
  /** Ids that dispatch lets run now, in its order. */
  readonly dispatch: (most?: number) => Promise<string[]>
  readonly end: (id: string, state?: UploadState) => Promise<void>
  /** Every key of the service. */
  readonly allKeys: () => Promise<string[]>
}

export async function openRecords(): Promise<Records> {
  await using resources = new AsyncDisposableStack()
  const redis = connectRedis(inject('redisUrl'), { role: 'worker', name: 'records-test' })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, 10_000)
  const prefix = `{records-${randomBytes(6).toString('hex')}}`
  const retained = { retainVersions: 3, retainEvents: 100, retainJobsMs: 60_000, retainUploadsMs: 60_000 }
  const config = { prefix, lockMs: 1500, loginBudgetMs: 60_000, ...retained }
  const stores = resources.use(openStores({ redis, config, secrets: createSecrets(randomBytes(32)) }))
  const { uploads } = stores
  const owned = resources.move()

  const read = async (id: string): Promise<UploadRecord> => {
    const record = await uploads.read(id)
    if (record === undefined) throw new Error(`There is no ${id}`)
    return record
  }
  const tryAccept = async (wanted: Wanted = {}): Promise<Accepted> =>
    uploads.accept(newUpload(wanted), wanted.idempotency)

  return {
    stores,
    keys: createKeys(prefix),
    addAccount: async (id, limits = {}) => {
      const all = { maxActiveUploads: 20, partsAtOnce: 3, callsAtOnce: 1, callSpacingMs: 0, ...limits }
      await stores.accounts.create({ id, provider: 'vrchat', settings: {}, credentials: {}, limits: all })
    },
    newUpload,
    tryAccept,
    accept: async (wanted = {}) => {
      const accepted = await tryAccept(wanted)
      if (accepted.kind !== 'accepted') throw new Error(`Not accepted: ${accepted.kind}`)
      return accepted.id
    },
    read,
    dispatch: async (most = 100) => (await uploads.dispatch(most)).map(({ id }) => id),
    end: async (id, state = 'completed') => void (await uploads.transition(await read(id), { state })),
    allKeys: async () => keysOf(stores, prefix),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

let made = 0

function newUpload({ account = 'main', to, name, fresh, priority = 50 }: Wanted = {}): NewUpload {
  const id = newUploadId()
  made += 1
  const key = to ?? (name === undefined ? `test/${made}` : `test/${account}/name/${name}`)
  return {
    id,
    provider: 'vrchat',
    account,
    request: {},
    plan: { partSize: 10 },
    source: 'file:///nowhere',
    fileName: `file-${made}`,
    destination: {
      key,
      ...(name !== undefined && { binding: `${account}/${name}` }),
      ...(fresh && { fresh }),
    },
    size: 0,
    priority,
    verify: 'none',
    deadline: Date.now() + 600_000,
  }
}

async function keysOf({ redis }: Stores, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const batch of redis.scanStream({ match: `${prefix}:*`, count: 1000 })) {
    keys.push(...z.array(z.string()).parse(batch))
  }
  return [...new Set(keys)].toSorted()
}

/** Every list of the service, and what a look at each record says that it should hold. */
export async function compareIndexes(
  { stores, keys }: Pick<Records, 'stores' | 'keys'>,
  ids: readonly string[],
): Promise<{ found: Record<string, string[]>; expected: Record<string, string[]> }> {
  const records = await stores.uploads.readMany(ids)
  const accounts = [...new Set(records.map(({ account }) => account))]
  const found: Record<string, string[]> = {}
  const expected: Record<string, string[]> = {}
  for (const account of [undefined, ...accounts]) {
    for (const state of [undefined, ...uploadStates]) {
      const name = `${account ?? 'all'} ${state ?? 'any'}`
      found[name] = await stores.uploads.list({ account, state }, { limit: 1_000_000 })
      expected[name] = records
        .filter((record) => (account ?? record.account) === record.account)
        .filter((record) => (state ?? record.state) === record.state)
        .map(({ id }) => id)
        .toSorted()
        .toReversed()
    }
    if (account === undefined) continue
    const running = records.filter((record) => record.account === account && isRunningState(record.state))
    found[`${account} active`] = (await stores.redis.smembers(keys.accountActive(account))).toSorted()
    expected[`${account} active`] = running.map(({ id }) => id).toSorted()
  }
  found['running'] = (await stores.uploads.running()).toSorted()
  expected['running'] = records
    .filter(({ state }) => isRunningState(state))
    .map(({ id }) => id)
    .toSorted()
  return { found, expected }
}

const isRunningState = (state: UploadState): boolean =>
  ['preparing', 'transferring', 'finishing', 'confirming'].includes(state)
