import { afterEach, beforeEach, expect, test } from 'vitest'
import { Stale } from '#shared/records/changes.ts'
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

const urls = (count: number, from = 'https://store.test/signed'): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`url/${index + 1}`, `${from}?${index + 1}`]),
  )

test('tickets come back by name, and one that was never saved as undefined', async () => {
  const { tickets } = records.stores
  const record = await records.read(id)
  await tickets.save(record, urls(3))

  const asked = ['url/3', 'none', 'url/1']
  const found = ['https://store.test/signed?3', undefined, 'https://store.test/signed?1']
  expect(await tickets.reader(record)(asked)).toEqual(found)
  expect(await tickets.reader(record)([])).toEqual([])
})

test('row 40: nothing in Redis shows a ticket, and one does not open under the name of another', async () => {
  const { tickets, redis } = records.stores
  const record = await records.read(id)
  await tickets.save(record, urls(2))

  const key = records.keys.tickets(id, record.epoch)
  const kept = await redis.hgetall(key)
  expect(JSON.stringify(kept)).not.toMatch(/store\.test|signed/)
  await redis.hset(key, 'url/1', kept['url/2'] ?? '')
  await expect(tickets.reader(record)(['url/1'])).rejects.toThrow('belongs to something else')
})

test('the tickets of 1,201 parts are kept whole, in place of those before', async () => {
  const { tickets } = records.stores
  const record = await records.read(id)
  await tickets.save(record, { old: 'gone' })
  await tickets.save(record, urls(1201))

  const found = await tickets.reader(record)(['url/1', 'url/500', 'url/501', 'url/1201', 'old'])
  expect(found.map((url) => url?.split('?')[1])).toEqual(['1', '500', '501', '1201', undefined])
})

test('whoever saw an older record keeps nothing', async () => {
  const { tickets, uploads, redis } = records.stores
  const before = await records.read(id)
  const after = await uploads.transition(before, { note: 'moved on' })
  await tickets.save(after, { url: 'new' })

  await expect(tickets.save(before, { url: 'late' })).rejects.toBeInstanceOf(Stale)
  expect(await tickets.reader(after)(['url'])).toEqual(['new'])

  const next = await uploads.transition(after, { epoch: 2 })
  expect(await tickets.reader(next)(['url'])).toEqual([undefined])
  await expect(tickets.save(after, { url: 'late' })).rejects.toBeInstanceOf(Stale)
  expect(await redis.exists(records.keys.tickets(id, 1))).toBe(0)
})

test.for(['completed', 'failed', 'cancelled', 'skipped'] as const)(
  'nothing is left of them once the upload is %s',
  async (state) => {
    const { tickets, redis } = records.stores
    const record = await records.read(id)
    await tickets.save(record, urls(2))
    await records.end(id, state)

    expect(await redis.exists(records.keys.tickets(id, record.epoch))).toBe(0)
    await expect(tickets.save(record, urls(2))).rejects.toBeInstanceOf(Stale)
  },
)
