import { expect, test } from 'vitest'
import { uploadJobId } from '#shared/queues.ts'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const downloads = (service: Service): number => service.requests('downloadFileVersion').length

test('an upload whose bytes can not be read back does not end as completed', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'downloadFileVersion', action: { kind: 'status', status: 404 } })
  const id = await service.upload({ name: 'a.vrca', content: 10, verify: 'download' })

  expect(await service.until(id)).toMatchObject({ state: 'failed' })
  expect(downloads(service)).toBeGreaterThan(0)
})

test('a newFile upload that fails leaves the name with its File', async () => {
  await using service = await openService()
  const request = { destination: { name: 'world' } }
  const first = await service.until(await service.upload({ name: 'a.vrcw', content: 10, request }))
  service.fake.faults.add({ operation: 'putPart', times: 100, action: 'no-etag' })
  const fresh = await service.upload({ name: 'b.vrcw', content: 20, request: { ...request, newFile: true } })
  expect(await service.until(fresh)).toMatchObject({ state: 'failed' })
  service.fake.faults.clear()

  const next = await service.until(await service.upload({ name: 'c.vrcw', content: 30, request }))

  expect(next).toMatchObject({
    state: 'completed',
    version: { remoteId: first.version?.remoteId, number: 2 },
  })
  expect(service.fake.files).toHaveLength(1)
})

test('a job left over from an earlier run steps aside', async () => {
  await using service = await openService({ fake: { storageBytesPerSecond: 100 * KIB } })
  service.fake.faults.add({ operation: 'createFile', nth: 1, action: { kind: 'status', status: 400 } })
  const id = await service.upload({ name: 'a.vrca', content: 300 * KIB })
  await service.until(id, ({ state }) => state === 'failed')
  const { queues, uploads } = service.stores
  const first = await eventually(async () => {
    const job = await queues.uploads.getJob(uploadJobId(id, 1))
    return (await job?.isFailed()) === true && job
  })
  await uploads.want(id, 'retry')
  await service.until(id, ({ state }) => state === 'transferring')

  await first.retry('failed')
  const late = await eventually(async () => {
    const job = await queues.uploads.getJob(uploadJobId(id, 1))
    return (await job?.getState()) === 'completed' && job
  })

  expect(late.returnvalue).toBe('superseded by a later run')
  expect(await service.until(id)).toMatchObject({ state: 'completed', run: 2 })
  expect(service.fake.violations).toEqual([])
})

/** The job's own number of attempts takes minutes. */
async function allowAttempts({ stores }: Service, id: string, attempts: number): Promise<void> {
  const job = await stores.queues.uploads.getJob(uploadJobId(id, 1))
  const opts = JSON.stringify({ ...job?.opts, attempts })
  await stores.redis.hset(stores.queues.uploads.toKey(uploadJobId(id, 1)), 'opts', opts)
}

test('a bad end that meets something unforeseen still ends, and says what it may have left', async () => {
  await using service = await openService({ fake: { storageBytesPerSecond: 20 * KIB } })
  const id = await service.upload({ name: 'a.vrca', content: 300 * KIB })
  await service.until(id, ({ state }) => state === 'transferring')
  // As another version of the provider might have written it.
  const { redis, keys } = service.stores
  const record = await service.read(id)
  await redis.hset(keys.upload(id), 'session', JSON.stringify({ ...record.session, state: { v: 99 } }))
  await allowAttempts(service, id, 2)
  await service.stores.uploads.want(id, 'cancel')

  const ended = await service.until(id)
  expect(ended.state).toBe('cancelled')
  expect(ended.note).toContain('may be left behind')
})
