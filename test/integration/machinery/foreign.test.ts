import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { SeedVersion } from '../../fakes/vrchat/fake-vrchat.ts'
import { eventually, KIB, openService } from '../../support/service.ts'

const someones: SeedVersion = { status: 'waiting', parts: [Buffer.from('a part of somebody else')] }

test("somebody's unfinished version is left alone for a while, and removed then", async () => {
  await using service = await openService({ settings: { foreignWaitMs: 6000 } })
  const fileId = service.fake.seedFile()
  await service.fake.seedVersion(fileId, someones)
  const seeded = Date.now()
  const id = await service.upload({ name: 'a.vrcw', content: 10, request: { destination: { fileId } } })

  const waiting = await service.until(id, ({ waitingFor }) => waitingFor !== undefined)
  expect(waiting.waitingFor).toContain('not ours')
  expect(service.fake.openVersions()).toHaveLength(1)
  expect(await service.until(id)).toMatchObject({ state: 'completed', version: { number: 2 } })
  const removed = service.requests('deleteFileVersion')
  expect(removed.map(({ version }) => version)).toEqual([1])
  expect((removed[0]?.time ?? 0) - seeded).toBeGreaterThanOrEqual(5900)
  expect(service.fake.violations).toEqual([])
})

test('what somebody completes meanwhile is kept', async () => {
  await using service = await openService({ settings: { foreignWaitMs: 6000 } })
  const fileId = service.fake.seedFile()
  await service.fake.seedVersion(fileId, { ...someones, finished: ['file', 'signature'], status: 'waiting' })
  const id = await service.upload({ name: 'a.vrcw', content: 10, request: { destination: { fileId } } })
  await service.until(id, ({ waitingFor }) => waitingFor !== undefined)
  await service.until(id)
  const [file] = service.fake.files
  expect(file?.versions.at(-1)?.status).toBe('complete')
})

test('onForeign: delete removes it at once, newest first', async () => {
  await using service = await openService({ settings: { onForeign: 'delete' } })
  const fileId = service.fake.seedFile()
  for (let count = 0; count < 3; count += 1) await service.fake.seedVersion(fileId, someones)
  const id = await service.upload({ name: 'a.vrcw', content: 10, request: { destination: { fileId } } })

  expect(await service.until(id)).toMatchObject({ state: 'completed', version: { number: 4 } })
  expect(service.requests('deleteFileVersion').map(({ version }) => version)).toEqual([3, 2, 1])
  expect(service.fake.violations).toEqual([])
})

test('onForeign: fail fails, and touches neither that version nor the File', async () => {
  await using service = await openService({ settings: { onForeign: 'fail' } })
  const fileId = service.fake.seedFile()
  await service.fake.seedVersion(fileId, someones)
  const id = await service.upload({ name: 'a.vrcw', content: 10, request: { destination: { fileId } } })

  expect(await service.until(id)).toMatchObject({ state: 'failed', error: { class: 'foreign-version' } })
  expect(service.requests('deleteFileVersion', 'deleteFile', 'createFileVersion')).toEqual([])
  expect(service.fake.openVersions()).toHaveLength(1)
})

test('row 22: the answer to create was lost: the version that was made is found and used', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'createFileVersion', nth: 1, action: 'lost-reply' })
  const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))
  expect(record).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  expect(service.requests('createFileVersion')).toHaveLength(1)
  expect(service.fake.violations).toEqual([])
})

test('row 22: the answer to creating a File was lost: that File is found and used', async () => {
  await using service = await openService()
  service.fake.seedFile({ name: 'another' })
  service.fake.faults.add({ operation: 'createFile', nth: 1, action: 'lost-reply' })
  const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))
  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  expect(service.fake.files).toHaveLength(2)
})

test('a worker that is stopped in mid-upload leaves a version that the next one goes on with', async () => {
  await using service = await openService({ workers: 0, limits: { partsAtOnce: 1 } })
  const first = await service.startWorker()
  const content = randomBytes(8 * 64 * KIB)
  const id = await service.upload({ name: 'a.vrcw', content })
  await service.until(id, ({ partsDone }) => partsDone >= 2)
  await first[Symbol.asyncDispose]()
  const between = await service.read(id)
  expect(between.state).toBe('transferring')
  await service.startWorker()

  expect(await service.until(id)).toMatchObject({
    state: 'completed',
    epoch: 1,
    version: { number: 1 },
    bytesResent: 0,
  })
  const sent = service.requests('putPart').filter(({ fileType }) => fileType === 'file')
  expect(sent.map(({ partNumber }) => partNumber)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('a File that the upload made itself goes with it when it fails for good', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'finishFileDataUpload', action: { kind: 'status', status: 400 } })
  const id = await service.upload({ name: 'a.vrcw', content: 200 * KIB })
  expect(await service.until(id)).toMatchObject({ state: 'failed' })
  expect(service.fake.files).toEqual([])
})

test('a File that was there before stays, with its versions; only the unfinished one goes', async () => {
  await using service = await openService()
  const fileId = service.fake.seedFile()
  await service.fake.seedVersion(fileId)
  service.fake.faults.add({ operation: 'finishFileDataUpload', action: { kind: 'status', status: 400 } })
  const id = await service.upload({
    name: 'a.vrcw',
    content: 200 * KIB,
    request: { destination: { fileId } },
  })
  expect(await service.until(id)).toMatchObject({ state: 'failed' })
  expect(service.fake.files.map(({ versions }) => versions.map(({ version }) => version))).toEqual([[0, 1]])
})

test('a File that a former upload made stays when a later one to its name fails', async () => {
  await using service = await openService()
  const request = { destination: { name: 'world' } }
  await service.until(await service.upload({ name: 'a.vrcw', content: 10, request }))
  service.fake.faults.add({ operation: 'finishFileDataUpload', action: { kind: 'status', status: 400 } })
  const id = await service.upload({ name: 'b.vrcw', content: 20, request })
  expect(await service.until(id)).toMatchObject({ state: 'failed' })
  expect(service.fake.files.map(({ versions }) => versions.map(({ version }) => version))).toEqual([[0, 1]])
})

test('row 27: a version that somebody deletes in mid-upload is made anew, once', async () => {
  await using service = await openService({ limits: { partsAtOnce: 1 } })
  const fileId = service.fake.seedFile()
  const id = await service.upload({
    name: 'a.vrcw',
    content: 300 * KIB,
    request: { destination: { fileId } },
  })
  await service.until(id, ({ partsDone }) => partsDone >= 1)
  const { headers } = service.requests('createFileVersion')[0] ?? {}
  const sendDelete = async (): Promise<boolean> => {
    const { cookie = '', 'user-agent': agent = '' } = headers ?? {}
    const answer = await fetch(`${service.fake.baseUrl}/file/${fileId}/1`, {
      method: 'DELETE',
      headers: { cookie, 'user-agent': agent },
    })
    return answer.ok
  }
  await eventually(sendDelete)
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 2, version: { number: 2 } })
})
