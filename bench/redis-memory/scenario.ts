import { Worker } from 'bullmq'
import { PART_QUEUE, queuePrefix, UPLOAD_QUEUE } from '#shared/queues.ts'
import type { Stores } from '#shared/stores.ts'
import type { Row } from '../report.ts'
import type { Scenario } from '../scenario.ts'
import { acceptMany, complete, forEach, mustRead, open, openStore, PARTS, PREFIX } from './store.ts'

/** What Redis needs for each thing that the service keeps there: what to size it by. */
export const redisMemory: Scenario = {
  name: 'redis-memory',
  what: 'bytes of Redis for an upload that is queued, running or ended, for its parts and jobs, and for the ledger',
  run: async ({ quick, report, signal }) => {
    const [queued, others] = quick ? [1000, 100] : [100_000, 1000]
    report.settings({
      queued,
      'running, then ended': others,
      'parts of each': PARTS,
      uploads: 'each to a name of its own',
    })
    report.table([
      row('upload, queued', await bytesOfQueued(queued, signal)),
      ...(await bytesOfOthers(others)),
    ])
  },
}

const row = (what: string, bytes: number): Row => ({ what, ours: `${bytes.toFixed(0)} B` })

async function bytesOfQueued(count: number, signal: AbortSignal): Promise<number> {
  await using store = await openStore()
  await acceptMany(store.stores, 1)
  const before = await store.used()
  await acceptMany(store.stores, count, signal)
  return ((await store.used()) - before) / count
}

/** The same uploads all the way to where only the ledger knows them; each step is what it added. */
async function bytesOfOthers(count: number): Promise<readonly Row[]> {
  await using store = await openStore()
  const { stores } = store
  const empty = await store.used()
  let before = empty
  const rows: Row[] = []
  const step = async (what: string, things: number, work: () => Promise<void>): Promise<void> => {
    await work()
    const now = await store.used()
    rows.push(row(what, (now - before) / things))
    before = now
  }

  let ids: readonly string[] = []
  await step('upload, running: record, MD5s and its own job', count, async () => {
    ids = await start(stores, count)
    await forEach(ids, async (id) => open(stores, id))
  })
  await step('part, its job while it waits or is sent', count * PARTS, async () => addParts(stores, ids))
  await step('part, its receipt', count * PARTS, async () => saveReceipts(stores, ids))
  await step('part, what its job needs more once it ended', count * PARTS, async () =>
    end(stores, PART_QUEUE),
  )
  await step('upload, what it needs more once it is completed', count, async () => {
    await forEach(ids, async (id) => complete(stores, id))
    await end(stores, UPLOAD_QUEUE)
  })
  rows.push(row(`upload, ended, with its ${PARTS} parts and all jobs`, (before - empty) / count))
  await stores.queues.parts.obliterate({ force: true })
  await stores.queues.uploads.obliterate({ force: true })
  rows.push(
    row(`upload, ended, with its ${PARTS} parts, no jobs any more`, ((await store.used()) - empty) / count),
  )
  await forEach(ids, async (id) => stores.uploads.remove(id))
  before = await store.used()
  rows.push(row('destination: its name, its place and one version in the ledger', (before - empty) / count))
  await step('version in the ledger, each further one', count * FURTHER, async () => addVersions(stores))
  return rows
}

async function start(stores: Stores, count: number): Promise<readonly string[]> {
  await acceptMany(stores, count)
  const started = await stores.uploads.dispatch(count)
  await stores.queues.addUploads(started)
  return started.map(({ id }) => id)
}

const numbers = Array.from({ length: PARTS }, (_, index) => index + 1)

async function addParts({ uploads, queues }: Stores, ids: readonly string[]): Promise<void> {
  await forEach(ids, async (id) =>
    queues.addParts(await mustRead(uploads, id), { blob: 'file', total: PARTS, numbers }),
  )
}

async function saveReceipts({ parts }: Stores, ids: readonly string[]): Promise<void> {
  await forEach(ids, async (upload) => {
    for (const number of numbers) {
      const key = { upload, epoch: 1, blob: 'file', number }
      const md5 = 'd41d8cd98f00b204e9800998ecf8427e'
      await parts.countSending(key, 1)
      await parts.save(key, PARTS, { etag: `"${md5}"`, md5, bytes: 16_777_216, at: Date.now() })
    }
  })
}

const FURTHER = 10

/** The newest version of each destination, some times more: all are of one size. */
async function addVersions({ redis }: Stores): Promise<void> {
  await forEach(await redis.keys(`${PREFIX}:versions:*`), async (key) => {
    const newest = (await redis.lindex(key, 0)) ?? ''
    await redis.lpush(key, ...Array.from({ length: FURTHER }, () => newest))
  })
}

/** Ends every job of a queue, as the service's own workers would; and waits until that is done. */
async function end({ redis, queues }: Stores, name: typeof PART_QUEUE | typeof UPLOAD_QUEUE): Promise<void> {
  const queue = name === PART_QUEUE ? queues.parts : queues.uploads
  const worker = new Worker(name, async () => 'sent', {
    connection: redis,
    prefix: queuePrefix(PREFIX),
    concurrency: 100,
  })
  worker.on('error', () => undefined)
  const drained = new Promise<void>((resolve) => void worker.once('drained', resolve))
  await drained
  await worker.close()
  const { waiting, prioritized, active } = await queue.getJobCounts('waiting', 'prioritized', 'active')
  if ((waiting ?? 0) + (prioritized ?? 0) + (active ?? 0) > 0) throw new Error(`Jobs of ${name} are left`)
}
