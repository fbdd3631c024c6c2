import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records
let id: string

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
  id = await records.accept()
  await records.dispatch()
})

afterEach(async () => records[Symbol.asyncDispose]())

const crashesAtOnce = async (job: string, instance: string): Promise<number> =>
  (await records.stores.uploads.begin(id, job, instance)).crashes

/** The same, long after the crash before. */
const crashes = async (job: string, instance: string): Promise<number> => {
  const { redis, keys } = records.stores
  const key = `${keys.upload(id)}:crashed`
  if ((await redis.exists(key)) === 1) await redis.hset(key, '@last', 0)
  return crashesAtOnce(job, instance)
}

test('each process that died with the upload in its hands counts once', async () => {
  expect(await crashes('job', 'one')).toBe(0)
  expect(await crashes('job', 'two')).toBe(1)
  expect(await crashes('job', 'three')).toBe(2)
  expect(await crashes('job', 'four')).toBe(3)
})

test('a process that died with four parts of an upload in its hands died once', async () => {
  for (const job of ['a', 'b', 'c', 'd']) await crashes(job, 'one')
  for (const job of ['a', 'b', 'c']) await crashes(job, 'two')
  expect(await crashes('d', 'two')).toBe(1)
})

test('processes that died at the same time, by a power cut, are one crash', async () => {
  for (const job of ['a', 'b', 'c', 'd']) await crashesAtOnce(job, `${job} before the cut`)
  for (const job of ['a', 'b', 'c']) await crashesAtOnce(job, 'after')
  expect(await crashesAtOnce('d', 'after')).toBe(1)
})

test('a job that was given back, or begun again by the same process, is no crash', async () => {
  const { uploads } = records.stores
  await crashes('job', 'one')
  expect(await crashes('job', 'one')).toBe(0)
  await uploads.done(id, 'job', 'one')
  expect(await crashes('job', 'two')).toBe(0)
})

test('a run that lost its job to another process does not wipe out the mark of that one', async () => {
  const { uploads } = records.stores
  await crashes('job', 'one')
  await crashes('job', 'two')
  await uploads.done(id, 'job', 'one')
  expect(await crashes('job', 'three')).toBe(2)
})

test('a new state is progress: crashes before it are forgotten', async () => {
  const { uploads } = records.stores
  await crashes('job', 'one')
  expect(await crashes('job', 'two')).toBe(1)
  await uploads.transition(await records.read(id), { partsTotal: 4 })
  expect(await crashes('job', 'two')).toBe(1)
  await uploads.transition(await records.read(id), { state: 'transferring' })
  expect(await crashes('job', 'two')).toBe(0)
})

test('a new receipt is progress, the same one again is none', async () => {
  const { uploads, parts } = records.stores
  const key = { upload: id, epoch: 1, blob: 'file', number: 1 }
  const receipt = { etag: 'a', md5: 'a', bytes: 1, at: 1 }
  await uploads.transition(await records.read(id), { state: 'transferring' })
  await crashes('job', 'one')
  expect(await crashes('job', 'two')).toBe(1)
  await parts.save(key, 3, receipt)
  expect(await crashes('job', 'three')).toBe(1)
  await parts.save(key, 3, receipt)
  expect(await crashes('job', 'four')).toBe(2)
})

test('a retry by a person begins without crashes', async () => {
  const { uploads } = records.stores
  await crashes('job', 'one')
  await crashes('job', 'two')
  await records.end(id, 'failed')
  await uploads.want(id, 'retry')
  await records.dispatch()
  expect(await crashes('job-2', 'three')).toBe(0)
})
