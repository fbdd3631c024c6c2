import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const hoursAgo = (): number => Date.now() - 2 * 3_600_000

/** As if the provider had been asked for hours already. */
async function waitedLong({ stores }: Service, id: string): Promise<void> {
  await stores.redis.hset(stores.keys.upload(id), 'confirmSince', hoursAgo())
}

const bytesSent = (service: Service): number =>
  service.requests('putPart').reduce((sum, { bytes }) => sum + bytes, 0)

test('a version that stays queued for a while is waited for, and asked for ever less often', async () => {
  await using service = await openService({ fake: { processingMs: 3000 } })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await service.until(id, ({ state }) => state === 'confirming')
  const since = service.fake.ledger.length
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  const reads = service.fake.ledger.slice(since).filter(({ operation }) => operation === 'getFile')
  expect(reads.length).toBeGreaterThan(2)
  expect(reads.length).toBeLessThan(15)
})

test('row 25: a version that VRChat gives the status error is removed and sent once more', async () => {
  await using service = await openService({ settings: { etagCheck: 'opaque' } })
  service.fake.faults.add({ operation: 'putPart', where: { partNumber: 2 }, nth: 1, action: 'store-flipped' })
  const fileId = service.fake.seedFile()
  const content = randomBytes(200 * KIB)
  const id = await service.upload({ name: 'a.vrcw', content, request: { destination: { fileId } } })
  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'completed', epoch: 2, version: { number: 2 } })
  expect((await service.fake.bytesOf(fileId, 2, 'file')).equals(content)).toBe(true)
  expect(service.requests('deleteFileVersion').map(({ version }) => version)).toEqual([1])
  expect(service.fake.openVersions()).toEqual([])
  expect(service.fake.violations).toEqual([])
})

test('row 25: a version that gets the status error each time fails, and leaves nothing', async () => {
  await using service = await openService({ settings: { etagCheck: 'opaque' } })
  service.fake.faults.add({ operation: 'putPart', where: { partNumber: 2 }, action: 'store-flipped' })
  const id = await service.upload({ name: 'a.vrcw', content: 200 * KIB })
  expect(await service.until(id)).toMatchObject({
    state: 'failed',
    epoch: 2,
    error: { class: 'aborted-by-provider' },
  })
  expect(service.fake.files).toEqual([])
})

test('a version that is never shown complete is unconfirmed, and left as it is', async () => {
  await using service = await openService({ fake: { processingMs: 600_000 } })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await service.until(id, ({ state }) => state === 'confirming')
  await waitedLong(service, id)
  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'failed', error: { class: 'unconfirmed' } })
  expect(record.session).toBeDefined()
  expect(service.fake.openVersions()).toHaveLength(1)
  expect(service.requests('deleteFile', 'deleteFileVersion')).toEqual([])
})

test('the retry of an unconfirmed upload reads first, and completes without sending a byte', async () => {
  await using service = await openService({ fake: { processingMs: 4000 } })
  const id = await service.upload({ name: 'a.vrcw', content: 200 * KIB })
  await service.until(id, ({ state }) => state === 'confirming')
  await waitedLong(service, id)
  expect(await service.until(id)).toMatchObject({ state: 'failed', error: { class: 'unconfirmed' } })
  await eventually(() => service.fake.openVersions().length === 0)
  const before = bytesSent(service)
  await service.stores.uploads.want(id, 'retry')

  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  expect(bytesSent(service)).toBe(before)
  expect(await service.stores.uploads.versions('main', (await service.read(id)).destination, 5)).toHaveLength(
    1,
  )
})

test('the retry of an upload that is still not complete sends it anew', async () => {
  await using service = await openService({ fake: { processingMs: 600_000 } })
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await service.until(id, ({ state }) => state === 'confirming')
  await waitedLong(service, id)
  await service.until(id)
  const before = bytesSent(service)
  await service.stores.uploads.want(id, 'retry')
  await service.until(id, ({ epoch, state }) => epoch === 2 && state === 'confirming')
  expect(bytesSent(service)).toBeGreaterThan(before)
  expect(service.fake.openVersions()).toHaveLength(1)
})

test('row 22: the answer to finish was lost, and the version is complete: nothing is sent again', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'finishFileDataUpload', nth: [1, 2], action: 'lost-reply' })
  const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))
  expect(record).toMatchObject({ state: 'completed', epoch: 1, bytesResent: 0 })
  expect(service.requests('finishFileDataUpload')).toHaveLength(2)
})

/** VRChat only echoes the MD5 that it was told, storage makes its own ETags, and one byte is wrong. */
const gullible = { fake: { verifyContent: false }, settings: { etagCheck: 'opaque' } }
const spoilOnce = ({ fake }: Service): void =>
  void fake.faults.add({ operation: 'putPart', where: { fileType: 'file' }, nth: 1, action: 'store-flipped' })

test('row 25: verify: download finds a wrong byte that VRChat calls complete', async () => {
  await using service = await openService(gullible)
  spoilOnce(service)
  const id = await service.upload({ name: 'a.vrcw', content: 100, verify: 'download' })
  const record = await service.until(id)
  expect(record).toMatchObject({ state: 'failed', error: { class: 'verify-failed' } })
  expect(record.error?.message).toMatch(/MD5 [\da-f]{32} instead of [\da-f]{32}/)
})

test('the retry of an upload with a wrong byte does not take that version for the file', async () => {
  await using service = await openService(gullible)
  spoilOnce(service)
  const content = randomBytes(100)
  const id = await service.upload({ name: 'a.vrcw', content, verify: 'download' })
  await service.until(id)
  await service.stores.uploads.want(id, 'retry')
  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'completed', version: { number: 2 } })
  const { remoteId = '', number = 0 } = record.version ?? {}
  expect((await service.fake.bytesOf(remoteId, Number(number), 'file')).equals(content)).toBe(true)
})

test('verify: download also reads back what would be skipped as unchanged', async () => {
  await using service = await openService(gullible)
  spoilOnce(service)
  const request = { destination: { name: 'world' } }
  const blind = await service.until(await service.upload({ name: 'a.vrcw', content: 100, request }))
  expect(blind.state).toBe('completed')
  const looked = await service.until(await service.upload({ name: 'a.vrcw', request, verify: 'download' }))
  expect(looked).toMatchObject({ state: 'completed', version: { number: 2 } })
  const again = await service.until(await service.upload({ name: 'a.vrcw', request, verify: 'download' }))
  expect(again).toMatchObject({ state: 'skipped', version: { number: 2 } })
})
