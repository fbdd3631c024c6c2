import { setTimeout as sleep } from 'node:timers/promises'
import { truncate } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { createGate, eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const GIB = 1024 ** 3

async function cancel(service: Service, id: string): Promise<void> {
  expect(await service.stores.uploads.want(id, 'cancel')).toMatchObject({ kind: 'ok' })
}

async function expectNothingLeft(service: Service): Promise<void> {
  expect(service.fake.files).toEqual([])
  expect(service.fake.openVersions()).toEqual([])
  expect(service.fake.violations).toEqual([])
  const { redis, keys, uploads } = service.stores
  expect(await uploads.running()).toEqual([])
  expect(await redis.scard(keys.accountActive('main'))).toBe(0)
}

test('a queued upload is cancelled at once, and nothing is asked of VRChat', async () => {
  await using service = await openService({ workers: 0 })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await cancel(service, id)
  expect(await service.read(id)).toMatchObject({ state: 'cancelled' })
  await service.startWorker()
  await sleep(500)
  expect(service.fake.ledger).toEqual([])
})

test('an upload is cancelled while a huge source is hashed', async () => {
  await using service = await openService()
  const path = await service.machine.source('huge.vrcw', 0)
  await truncate(path, 60 * GIB)
  const id = await service.upload({ name: 'huge.vrcw', request: { partSize: 1 * GIB } })
  await service.until(id, ({ fingerprint }) => fingerprint !== undefined)
  await sleep(300)
  const since = Date.now()
  await cancel(service, id)

  expect(await service.until(id)).toMatchObject({ state: 'cancelled' })
  expect(Date.now() - since).toBeLessThan(10_000)
  await expectNothingLeft(service)
})

test('parts under way in two workers are stopped, and all that was remote is removed', async () => {
  await using service = await openService({ workers: 2, fake: { storageBytesPerSecond: 2 * KIB } })
  const id = await service.upload({ name: 'a.vrcw', content: 600 * KIB })
  await eventually(() => service.requests('putPart').length >= 3)
  const since = Date.now()
  await cancel(service, id)
  const record = await service.until(id)

  expect(record.state).toBe('cancelled')
  // A part alone would take half a minute more.
  expect(Date.now() - since).toBeLessThan(10_000)
  expect(record.error ?? record.failure).toBeUndefined()
  await expectNothingLeft(service)
  const puts = service.requests('putPart').length
  await sleep(1000)
  expect(service.requests('putPart')).toHaveLength(puts)
})

test('a cancelled upload to a File that was there before leaves the File and its versions', async () => {
  await using service = await openService({ fake: { storageBytesPerSecond: 20 * KIB } })
  const fileId = service.fake.seedFile()
  await service.fake.seedVersion(fileId)
  const id = await service.upload({
    name: 'a.vrcw',
    content: 300 * KIB,
    request: { destination: { fileId } },
  })
  await eventually(() => service.requests('putPart').length >= 1)
  await cancel(service, id)
  expect(await service.until(id)).toMatchObject({ state: 'cancelled' })
  expect(service.fake.files.map(({ versions }) => versions.map(({ version }) => version))).toEqual([[0, 1]])
})

test.each(['createFile', 'createFileVersion', 'startFileDataUpload', 'finishFileDataUpload'] as const)(
  'a cancel while %s is under way leaves nothing behind',
  async (operation) => {
    await using service = await openService()
    const gate = createGate()
    service.fake.hooks.onRequest = async (event) => {
      if (event.operation === operation && event.phase === 'before-reply') await gate.passed
    }
    const id = await service.upload({ name: 'a.vrcw', content: 200 * KIB })
    await eventually(() => service.requests(operation).length > 0)
    await sleep(100)
    await cancel(service, id)
    await sleep(100)
    gate.open()
    expect(await service.until(id)).toMatchObject({ state: 'cancelled' })
    await expectNothingLeft(service)
  },
)

test('an upload that waits for a parked account is cancelled as soon as that may be asked again', async () => {
  await using service = await openService()
  const action = { kind: 'status' as const, status: 429, headers: { 'retry-after': '3' } }
  service.fake.faults.add({ operation: 'startFileDataUpload', times: 1, action })
  const id = await service.upload({ name: 'a.vrcw', content: 200 * KIB })
  await service.until(id, ({ waitingFor }) => waitingFor !== undefined)
  await cancel(service, id)
  expect(await service.until(id)).toMatchObject({ state: 'cancelled' })
  await expectNothingLeft(service)
})

test('an upload that waits for a parked account and has nothing remote is cancelled at once', async () => {
  await using service = await openService()
  const action = { kind: 'status' as const, status: 429, headers: { 'retry-after': '600' } }
  service.fake.faults.add({ operation: 'login', times: 1, action })
  const id = await service.upload({
    name: 'a.vrcw',
    content: 10,
    request: { destination: { fileId: service.fake.seedFile() } },
  })
  await service.until(id, ({ waitingFor }) => waitingFor !== undefined)
  await cancel(service, id)
  expect(await service.until(id)).toMatchObject({ state: 'cancelled' })
})

test('a cancel while the account makes it wait for its turn uses no attempt', async () => {
  await using service = await openService({ limits: { callsAtOnce: 1, callSpacingMs: 4000 } })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await eventually(() => service.requests('login').length > 0)
  await sleep(200)
  await cancel(service, id)
  await service.until(id)
  const [job] = await eventually(async () => {
    const jobs = await service.stores.queues.uploads.getFailed()
    return jobs.length > 0 && jobs
  })
  // The one attempt that ended as cancelled.
  expect(job?.attemptsMade).toBe(1)
})

test('a cancel while it is confirmed ends as cancelled with nothing left, or as completed and whole', async () => {
  await using service = await openService({ fake: { processingMs: 1500 } })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await service.until(id, ({ state }) => state === 'confirming')
  await cancel(service, id)
  const { state, version } = await service.until(id)
  expect(['cancelled', 'completed']).toContain(state)
  expect(service.fake.files).toHaveLength(state === 'completed' ? 1 : 0)
  expect(version?.number).toBe(state === 'completed' ? 1 : undefined)
  expect(service.fake.openVersions()).toEqual([])
})

test('a cancel that comes when VRChat has it complete already ends as completed', async () => {
  await using service = await openService({ fake: { processingMs: 0 } })
  const gate = createGate()
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  service.fake.hooks.onRequest = async ({ operation, phase, fileType }) => {
    const isLast = operation === 'finishFileDataUpload' && fileType === 'signature'
    if (isLast && phase === 'before-reply') await gate.passed
  }
  await eventually(() => service.requests('finishFileDataUpload').length === 2)
  await sleep(100)
  await cancel(service, id)
  gate.open()
  expect(await service.until(id)).toMatchObject({ state: 'completed', version: { number: 1 } })
  expect(service.fake.files).toHaveLength(1)
})

test('a cancel after completion is refused, and changes nothing', async () => {
  await using service = await openService()
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  const before = await service.until(id)
  expect(await service.stores.uploads.want(id, 'cancel')).toEqual({ kind: 'ended', state: 'completed' })
  expect(await service.read(id)).toEqual(before)
  expect(service.fake.files).toHaveLength(1)
})

test('a cancelled upload is sent anew by a retry', async () => {
  await using service = await openService({ fake: { storageBytesPerSecond: 100 * KIB } })
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await service.until(id, ({ partsDone }) => partsDone >= 1)
  await cancel(service, id)
  expect(await service.until(id)).toMatchObject({ state: 'cancelled' })
  await service.stores.uploads.want(id, 'retry')
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 2, version: { number: 1 } })
  expect(service.fake.files).toHaveLength(1)
  expect(service.fake.violations).toEqual([])
})

test('the next in line starts when the one before it is cancelled', async () => {
  await using service = await openService({ fake: { storageBytesPerSecond: 50 * KIB } })
  const request = { destination: { name: 'world' } }
  const first = await service.upload({ name: 'a.vrcw', content: 300 * KIB, request })
  const second = await service.upload({ name: 'b.vrcw', content: 10, request })
  await eventually(() => service.requests('putPart').length >= 1)
  await cancel(service, first)
  expect(await service.until(second)).toMatchObject({ state: 'completed', version: { number: 1 } })
  expect(await service.read(first)).toMatchObject({ state: 'cancelled' })
  expect(service.fake.files).toHaveLength(1)
})
