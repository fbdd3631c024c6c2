import { expect, test } from 'vitest'
import { pino } from 'pino'
import { uploadJobId } from '#shared/queues.ts'
import { startRetention } from '#worker/retention.ts'
import { startTestRedis } from '../../support/redis.ts'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'
import { eventually, KIB, openService } from '../../support/service.ts'
import { HEAVY_MS, LONG_MS, startOther } from './stage.ts'

test(
  'ended jobs go when their time is over though no other job ends, and their upload stays',
  { timeout: HEAVY_MS },
  async () => {
    await using server = await startTestRedis()
    await using service = await openService({ redisUrl: server.url, workers: 0 })
    const worker = await service.startWorker()
    const id = await service.upload({ name: 'a.vrca', content: 200 * KIB })
    await service.until(id)
    const { redis, keys, queues } = service.stores
    await eventually(async () => (await queues.uploads.getCompletedCount()) === 1, LONG_MS)
    await worker[Symbol.asyncDispose]()
    const jobKeys = async (): Promise<string[]> =>
      (await redis.keys(`${keys.prefix}:queue:*`)).filter((key) => key.includes(id))
    expect((await jobKeys()).length).toBeGreaterThan(4)

    await using _strict = await startOther(service, { STEVEDORE_RETAIN_JOBS_MS: '0' })

    await eventually(async () => (await jobKeys()).length === 0, LONG_MS)
    expect(await service.read(id)).toMatchObject({ state: 'completed' })

    // Looking for more leaves no trace: an event for each look would be trimmed by nobody.
    const events = async () =>
      Promise.all([queues.uploads, queues.parts].map(async (queue) => redis.xlen(queue.toKey('events'))))
    const now = await events()
    const looks = async (): Promise<number> =>
      Number(/cmdstat_zrangebyscore:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1])
    const looked = await looks()
    await eventually(async () => (await looks()) > looked + 30, LONG_MS)
    expect(await events()).toEqual(now)
  },
)

const log = pino({ level: 'silent' })

/** Removes all that ended, once: there is no second look within the hour. */
async function removeAll({ stores, keys }: Records): Promise<AsyncDisposable> {
  await stores.redis.set(keys.leader, stores.instance)
  return startRetention({ ...stores, everyMs: 3_600_000, retainUploadsMs: 0, retainJobsMs: 0, log })
}

test('an upload takes its jobs with it, whatever they wait for', async () => {
  await using records = await openRecords()
  const { queues, uploads, parts } = records.stores
  await records.addAccount('main')
  const others = await records.allKeys()
  const id = await records.accept({ to: 'a-place' })
  const started = await uploads.dispatch(1)
  await queues.addUploads(started)
  const record = await records.read(id)
  await queues.addParts(record, { blob: 'file', total: 3, numbers: [1, 2, 3] })
  await parts.saveDigests(id, { source: ['a', 'b', 'c'] })
  await records.end(id, 'failed')
  expect(await queues.uploads.getJobState(uploadJobId(id, 1))).toBe('waiting')
  expect(await queues.parts.getJobCountByTypes('prioritized')).toBe(3)

  await using _removing = await removeAll(records)
  await eventually(async () => (await uploads.read(id)) === undefined)

  const left = (await records.allKeys()).filter((key) => !others.includes(key))
  expect(left.filter((key) => key.includes(id))).toEqual([])
  expect(await queues.uploads.getJobCountByTypes('waiting', 'completed', 'failed')).toBe(0)
  expect(await queues.parts.getJobCountByTypes('prioritized', 'waiting', 'completed', 'failed')).toBe(0)
})

async function endMany(records: Records, count: number): Promise<string[]> {
  const ids = await Promise.all(Array.from({ length: count }, async () => records.accept()))
  await Promise.all(ids.map(async (id) => records.stores.uploads.want(id, 'cancel')))
  return ids
}

test('one look removes all that is old, however many ended at once', async () => {
  await using records = await openRecords()
  const { redis } = records.stores
  await records.addAccount('main')
  await endMany(records, 1500)
  expect(await redis.zcard(records.keys.ended)).toBe(1500)

  await using _removing = await removeAll(records)

  await eventually(async () => (await redis.zcard(records.keys.ended)) === 0, LONG_MS)
  expect((await records.allKeys()).filter((key) => key.includes('upl_'))).toEqual([])
})

test('what is damaged, gone or tried again does not keep the others from being removed', async () => {
  await using records = await openRecords()
  const { redis, uploads } = records.stores
  const { keys } = records
  await records.addAccount('main')
  const [damaged = '', gone = '', fine = '', again = ''] = await endMany(records, 4)
  await redis.hdel(keys.upload(damaged), 'epoch', 'account', 'run')
  await redis.del(keys.upload(gone))
  await uploads.want(again, 'retry')
  // As a Redis that came back with older data might have it.
  await redis.zadd(keys.ended, 0, again)

  await using _removing = await removeAll(records)

  await eventually(async () => (await redis.zcard(keys.ended)) === 0)
  expect(await uploads.read(fine)).toBeUndefined()
  expect(await redis.exists(keys.upload(damaged))).toBe(0)
  expect(await records.read(again)).toMatchObject({ state: 'queued' })
})

test('an upload that ended anew since it was found is kept its time', async () => {
  await using records = await openRecords()
  const { uploads } = records.stores
  await records.addAccount('main')
  const [id = ''] = await endMany(records, 1)
  const { endedAt = 0 } = await records.read(id)

  await uploads.remove(id, endedAt - 1)
  expect(await records.read(id)).toMatchObject({ state: 'cancelled' })

  await uploads.remove(id, endedAt)
  expect(await uploads.read(id)).toBeUndefined()
})
