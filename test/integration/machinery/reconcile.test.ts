import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { uploadJobId } from '#shared/queues.ts'
import { createGate, eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const jobOf = async ({ stores }: Service, id: string, run = 1) =>
  stores.queues.uploads.getJob(uploadJobId(id, run))

/** An upload whose parts all wait, as its account may send none. */
async function stuckUpload(service: Service): Promise<string> {
  const { redis, keys } = service.stores
  service.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'createFileVersion' || phase !== 'before-reply') return
    const leases = keys.accountLeases('main', 'parts')
    for (let taken = 0; taken < 3; taken += 1)
      await redis.zadd(leases, Date.now() + 600_000, `other-${taken}`)
  }
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await eventually(async () => (await service.stores.queues.parts.getDelayed()).length >= 3)
  return id
}

async function letGo({ stores }: Service): Promise<void> {
  await stores.redis.del(stores.keys.accountLeases('main', 'parts'))
}

test('row 15: an upload whose job was never added gets one', async () => {
  await using service = await openService({ workers: 0 })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  // A dispatcher that died between its choice and the job.
  expect(await service.stores.uploads.dispatch(10)).toHaveLength(1)
  await service.startWorker()
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
})

test('row 15: an upload whose parts and job were all removed by hand goes on', async () => {
  await using service = await openService()
  const id = await stuckUpload(service)
  const job = await jobOf(service, id)
  await job?.remove({ removeChildren: true })
  expect(await jobOf(service, id)).toBeUndefined()
  await letGo(service)
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
})

test('row 15: an upload whose part jobs were obliterated goes on', async () => {
  await using service = await openService()
  const id = await stuckUpload(service)
  await service.stores.queues.parts.obliterate({ force: true })
  await service.stores.queues.parts.resume()
  await letGo(service)
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
})

test('row 15: an upload whose job was failed by hand goes on', async () => {
  await using service = await openService()
  const id = await stuckUpload(service)
  const { redis } = service.stores
  const queue = service.stores.queues.uploads.qualifiedName
  // As a tool would: out of its list, into the failed ones.
  const jobId = uploadJobId(id, 1)
  await eventually(async () => (await redis.zrem(`${queue}:waiting-children`, jobId)) === 1)
  await redis.zadd(`${queue}:failed`, Date.now(), jobId)
  await letGo(service)
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  expect(service.fake.violations).toEqual([])
})

test('row 15: an upload that waits for a part whose job was lost goes on, and so do its other parts', async () => {
  await using service = await openService()
  const id = await stuckUpload(service)
  const { redis, queues } = service.stores
  // As a Redis that lost its last second would have it: the parent still counts on it.
  const [lost] = await queues.parts.getDelayed()
  const jobId = lost?.id ?? ''
  await redis.zrem(queues.parts.toKey('delayed'), jobId)
  await redis.del(queues.parts.toKey(jobId))
  await letGo(service)
  expect(jobId).not.toBe('')
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  expect(service.fake.violations).toEqual([])
})

test('row 15: an upload that waits though all its parts are done goes on', async () => {
  await using service = await openService()
  const id = await stuckUpload(service)
  const { redis, queues } = service.stores
  // As after a wake-up that was lost: the parts are gone from the list, the parent is where it was.
  const parent = queues.uploads.toKey(uploadJobId(id, 1))
  const waiting = queues.uploads.toKey('waiting-children')
  await eventually(async () => (await redis.zscore(waiting, uploadJobId(id, 1))) !== null)
  for (const part of await queues.parts.getDelayed()) {
    await redis.zrem(queues.parts.toKey('delayed'), part.id ?? '')
    await redis.del(queues.parts.toKey(part.id ?? ''))
  }
  await redis.del(`${parent}:dependencies`)
  await letGo(service)
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  expect(service.fake.violations).toEqual([])
})

test('an upload that works is left alone', async () => {
  await using service = await openService({ workers: 2 })
  const gate = createGate()
  service.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation === 'putPart' && phase === 'arrival') await gate.passed
  }
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await eventually(() => service.requests('putPart').length === 3)
  const before = await service.read(id)
  await sleep(2500)
  expect(await service.read(id)).toEqual(before)
  expect(service.requests('putPart')).toHaveLength(3)
  gate.open()
  expect(await service.until(id)).toMatchObject({ state: 'completed', bytesResent: 0, run: 1 })
})

test('one of two workers leads, and the other takes over when it is gone', async () => {
  await using service = await openService({ workers: 0 })
  const { redis, keys } = service.stores
  const first = await service.startWorker()
  const leader = await eventually(async () => (await redis.get(keys.leader)) ?? undefined)
  await service.startWorker()
  for (let look = 0; look < 15; look += 1) {
    expect(await redis.get(keys.leader)).toBe(leader)
    await sleep(100)
  }
  await first[Symbol.asyncDispose]()
  const next = await eventually(async () => {
    const now = await redis.get(keys.leader)
    return now !== null && now !== leader && now
  })
  expect(next).not.toBe(leader)
})

test('an upload that ended longer ago than the setting says is forgotten, its version is not', async () => {
  await using service = await openService({ env: { STEVEDORE_RETAIN_UPLOADS_MS: '1500' } })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  const { destination } = await service.until(id)
  await eventually(async () => (await service.stores.uploads.read(id)) === undefined)
  expect(await service.stores.uploads.versions('main', destination, 5)).toMatchObject([
    { upload: id, number: 1 },
  ])
})
