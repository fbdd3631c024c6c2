import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '#shared/config.ts'
import { newUploadId } from '#shared/ids.ts'
import { connectRedis, waitForRedis } from '#shared/redis/connect.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { createSecrets } from '#shared/secrets.ts'
import { openStores } from '#shared/stores.ts'
import type { Stores } from '#shared/stores.ts'
import { startTestRedis } from '../../test/support/redis.ts'
import { KIB, MIB } from '../figures.ts'

export const PREFIX = '{stevedore-bench}'
export const PARTS = 10
const PART_SIZE = 16 * MIB
const ACCOUNT = 'main'
/** Changes under way at once: Redis is kept busy, and no more. */
const AT_ONCE = 500

/** A Redis with one account, and nobody who works. */
export interface Store extends AsyncDisposable {
  readonly stores: Stores
  /** Bytes that Redis uses for what it holds, once it has freed what it dropped. */
  readonly used: () => Promise<number>
}

export async function openStore(): Promise<Store> {
  await using resources = new AsyncDisposableStack()
  const server = resources.use(await startTestRedis({ aof: true }))
  const redis = connectRedis(server.url, { role: 'worker', name: 'bench' })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, 10_000)
  // Streams are full from the first few on: they belong to the service, not to an upload.
  const config = loadConfig({ STEVEDORE_PREFIX: PREFIX, STEVEDORE_RETAIN_EVENTS: '100' }, 'cli')
  const stores = resources.use(openStores({ redis, config, secrets: createSecrets(randomBytes(32)) }))
  const { settings, limits } = stores.providers('vrchat')
  await stores.accounts.create({
    id: ACCOUNT,
    provider: 'vrchat',
    settings: settings.parse({ contact: 'ops@stevedore.test' }),
    credentials: {},
    limits: { ...limits, maxActiveUploads: 1000 },
  })
  const used = async (): Promise<number> => {
    while (!/lazyfree_pending_objects:0\r/.test(await redis.info('memory'))) await sleep(20)
    return Number(/used_memory_dataset:(\d+)/.exec(await redis.info('memory'))?.[1])
  }
  const owned = resources.move()
  return { stores, used, [Symbol.asyncDispose]: async () => owned.disposeAsync() }
}

/** Some hundred at a time. */
export async function forEach<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  for (let start = 0; start < items.length; start += AT_ONCE) {
    signal?.throwIfAborted()
    await Promise.all(items.slice(start, start + AT_ONCE).map(work))
  }
}

/** Accepts files of so many parts, each to a place of its own by name. */
export async function acceptMany(
  { providers, uploads }: Stores,
  count: number,
  signal?: AbortSignal,
): Promise<void> {
  const provider = providers('vrchat')
  const size = PARTS * PART_SIZE
  const accept = async (index: number): Promise<void> => {
    const name = `avatar-${String(index).padStart(6, '0')}`
    const request = provider.uploadRequest.parse({ destination: { name } })
    const id = newUploadId()
    await uploads.accept({
      id,
      provider: provider.name,
      account: ACCOUNT,
      request,
      plan: provider.plan(request, size, undefined),
      source: `file:///srv/builds/2026/autumn/${name}.vrca`,
      fileName: `${name}.vrca`,
      destination: provider.destination(ACCOUNT, request, id),
      size,
      priority: 50,
      verify: 'none',
      deadline: Date.now() + 86_400_000,
    })
  }
  await forEach([...Array(count).keys()], accept, signal)
}

const md5 = (): string => randomBytes(16).toString('hex')

const descriptor = (category: string) => ({ category, uploadId: randomBytes(48).toString('base64url') })

/** What `prepare` writes: place, hashes, and a session of two blobs. */
export async function open({ uploads, parts }: Stores, id: string): Promise<UploadRecord> {
  const record = await mustRead(uploads, id)
  const fileId = `file_${randomUUID()}`
  const bound = await uploads.bind(
    record,
    { v: 1, kind: 'draft', fileId },
    { key: `vrchat/${fileId}`, remoteId: fileId },
  )
  if (bound === 'taken') throw new Error(`${fileId} is taken`)
  const signature = { md5: md5(), size: 800 * KIB }
  const source = Array.from({ length: PARTS }, md5)
  await parts.saveDigests(id, { source, signature: [signature.md5] })
  const blob = { partSize: PART_SIZE, parallel: 3 }
  const blobs = [
    { ...blob, name: 'file', content: 'source' as const, size: record.size },
    { ...blob, name: 'signature', content: 'signature' as const, size: signature.size },
  ]
  const state = { v: 1, kind: 'session', fileId, version: 1, created: true, mimeType: 'application/x-avatar' }
  const opened = {
    blobs,
    state: { ...state, file: descriptor('multipart'), signature: descriptor('simple') },
  }
  const fingerprint = { size: record.size, mtimeNs: '1795312568288123456', inode: '12345678' }
  const patch = {
    fingerprint,
    hashes: { md5: md5(), signature },
    session: opened,
    blob: 0,
    partsTotal: PARTS + 1,
  }
  return uploads.transition(bound, { ...patch, state: 'transferring' }, { remove: ['draft'] })
}

/** What an upload that arrived leaves in its record and in the ledger. */
export async function complete({ uploads }: Stores, id: string, number = 1): Promise<void> {
  const record = await mustRead(uploads, id)
  const { fingerprint, hashes } = record
  if (fingerprint === undefined) throw new Error(`${id} was not opened`)
  const remoteId = record.destination.slice('vrchat/'.length)
  const url = `https://api.vrchat.cloud/api/1/file/${remoteId}/${number}/file`
  const version = {
    remoteId,
    number,
    size: record.size,
    md5: hashes?.md5 ?? md5(),
    url,
    completedAt: Date.now(),
  }
  await uploads.transition(
    record,
    { state: 'completed', version },
    { ledger: { ...version, upload: id, fingerprint } },
  )
}

export async function mustRead(uploads: Stores['uploads'], id: string): Promise<UploadRecord> {
  const record = await uploads.read(id)
  if (record === undefined) throw new Error(`There is no ${id}`)
  return record
}
