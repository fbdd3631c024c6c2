import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PartKey } from '#shared/records/parts.ts'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records
let id: string

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
  id = await records.accept()
  await records.dispatch()
  await records.stores.uploads.transition(await records.read(id), { state: 'transferring' })
})

afterEach(async () => records[Symbol.asyncDispose]())

const part = (number: number, epoch = 1): PartKey => ({ upload: id, epoch, blob: 'file', number })
const receipt = (etag: string, bytes = 10) => ({ etag, md5: etag, bytes, at: 1 })

test('a receipt is saved once, whoever comes second, and counted once', async () => {
  const { parts } = records.stores
  await parts.save(part(1), 5, receipt('first'))
  await parts.save(part(1), 5, receipt('second'))

  expect(await parts.receipt(part(1))).toMatchObject({ etag: 'first' })
  expect(await records.read(id)).toMatchObject({ partsDone: 1, bytesSent: 10 })
})

test('many parts that end at once each claim another next part, until there is none', async () => {
  const { parts } = records.stores
  await parts.openChain(await records.read(id), 'file', 11)
  const first = Array.from({ length: 10 }, (_, index) => index + 1)
  const claims = await Promise.all(
    first.map(async (number) => parts.save(part(number), 17, receipt(`e${number}`))),
  )

  const next = claims.filter((claim) => claim !== 0)
  expect(next.map(Number).toSorted((a, b) => a - b)).toEqual([11, 12, 13, 14, 15, 16, 17])
  expect(claims.filter((claim) => claim === 0)).toHaveLength(3)
})

test('a part that runs again is told the claim it made before', async () => {
  const { parts } = records.stores
  await parts.openChain(await records.read(id), 'file', 4)
  const claim = await parts.save(part(1), 9, receipt('a'))
  await parts.save(part(2), 9, receipt('b'))

  expect(await parts.save(part(1), 9)).toBe(claim)
  expect(await parts.save(part(1), 9, receipt('a'))).toBe(claim)
})

test('a claim passes over parts that have their receipt already', async () => {
  const { parts } = records.stores
  await parts.openChain(await records.read(id), 'file', 2)

  expect(await parts.save(part(4), 5, receipt('e4'))).toBe(2)
  expect(await parts.save(part(1), 5, receipt('e1'))).toBe(3)
  expect(await parts.save(part(2), 5, receipt('e2'))).toBe(5)
  expect(await parts.save(part(3), 5, receipt('e3'))).toBe(0)
})

test('a part of an epoch that ended can not enter the next one', async () => {
  const { parts, uploads } = records.stores
  await uploads.transition(await records.read(id), { epoch: 2 })

  expect(await parts.save(part(1), 5, receipt('late'))).toBe('stale')
  expect(await parts.save(part(1, 3), 5, receipt('of the future'))).toBe('stale')
  expect(await records.read(id)).toMatchObject({ partsDone: 0, bytesSent: 0 })
  expect(await parts.receipts(await records.read(id), 'file')).toEqual(new Map())
})

test('a part that ends after its blob was completed is refused', async () => {
  const { parts, uploads } = records.stores
  await uploads.transition(await records.read(id), { state: 'finishing' })
  expect(await parts.save(part(1), 5, receipt('late'))).toBe('stale')
})

test('a cancelled, failed or restarting upload takes receipts and hands out no more parts', async () => {
  const { parts, uploads } = records.stores
  await parts.openChain(await records.read(id), 'file', 3)
  await uploads.want(id, 'cancel')

  expect(await parts.save(part(1), 5, receipt('a'))).toBe(0)
  expect(await parts.receipt(part(1))).toMatchObject({ etag: 'a' })
})

test('blobs of one upload keep their receipts apart', async () => {
  const { parts } = records.stores
  await parts.save(part(1), 5, receipt('of the file'))
  await parts.save({ ...part(1), blob: 'signature' }, 1, receipt('of the signature'))

  const record = await records.read(id)
  expect((await parts.receipts(record, 'file')).get(1)).toMatchObject({ etag: 'of the file' })
  expect((await parts.receipts(record, 'signature')).get(1)).toMatchObject({ etag: 'of the signature' })
})

test('digests of a new hashing pass replace all of the old one, also beyond a thousand', async () => {
  const { parts } = records.stores
  await parts.saveDigests(id, { source: Array.from({ length: 2500 }, (_, index) => `old-${index}`) })
  await parts.saveDigests(id, { source: ['new'], signature: ['sig'] })

  expect(await parts.digest(id, 'source', 1)).toBe('new')
  expect(await parts.digest(id, 'source', 2500)).toBeUndefined()
  expect(await parts.digest(id, 'signature', 1)).toBe('sig')
})

test('what an upload waits for is forgotten as soon as one of its parts arrived', async () => {
  const { parts, uploads } = records.stores
  await uploads.waitingFor(id, 'the account is parked')
  await parts.save(part(1), 5, receipt('a'))
  expect((await records.read(id)).waitingFor).toBeUndefined()
})

test('once its parts go in order, each waits for the receipt of the one before', async () => {
  const { parts } = records.stores
  expect(await parts.turnOf(part(3))).toBe('any')
  await parts.sendInOrder(part(3))

  expect(await parts.turnOf(part(1))).toBe('now')
  expect(await parts.turnOf(part(2))).toBe('later')
  await parts.save(part(1), 5, receipt('first'))
  expect(await parts.turnOf(part(2))).toBe('now')
  expect(await parts.turnOf(part(3))).toBe('later')
})
