import { afterEach, beforeEach, expect, test } from 'vitest'
import { RECORD_VERSION } from '#shared/records/upload.ts'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records

beforeEach(async () => {
  records = await openRecords()
})

afterEach(async () => records[Symbol.asyncDispose]())

const acceptMany = async (account: string, count: number): Promise<string[]> => {
  const ids: string[] = []
  for (let index = 0; index < count; index += 1) ids.push(await records.accept({ account }))
  return ids
}

test('an account with 3 waiting uploads is served beside one with 500', async () => {
  await records.addAccount('big', { maxActiveUploads: 1000 })
  await records.addAccount('small')
  const big = await acceptMany('big', 500)
  const small = await acceptMany('small', 3)

  const first = await records.dispatch(7)
  expect(small.every((id) => first.includes(id))).toBe(true)
  expect(first.filter((id) => big.includes(id))).toEqual(big.slice(0, 4))
})

test('an account that comes late is served in the very next round', async () => {
  await records.addAccount('big', { maxActiveUploads: 1000 })
  await records.addAccount('late')
  await acceptMany('big', 50)
  await records.dispatch(10)
  const [late] = await acceptMany('late', 1)
  expect(await records.dispatch(1)).toEqual([late])
})

test('no account ever runs more than its limit, and gets a place back when one ends', async () => {
  await records.addAccount('main', { maxActiveUploads: 3 })
  const ids = await acceptMany('main', 5)
  expect(await records.dispatch()).toEqual(ids.slice(0, 3))
  expect(await records.dispatch()).toEqual([])
  await records.end(ids[1] ?? '')
  expect(await records.dispatch()).toEqual([ids[3]])
})

test('a lower priority number goes first, equal ones in the order they were accepted', async () => {
  await records.addAccount('main')
  const ordinary = await records.accept()
  const later = await records.accept({ priority: 90 })
  const urgent = await records.accept({ priority: 1 })
  const urgentToo = await records.accept({ priority: 1 })
  expect(await records.dispatch()).toEqual([urgent, urgentToo, ordinary, later])
})

test('parked accounts, and those that wait for a person, are passed over until they can work', async () => {
  const { redis, accounts } = records.stores
  for (const account of ['parked', 'logged-out', 'fine']) await records.addAccount(account)
  const [parked] = await acceptMany('parked', 1)
  const [loggedOut] = await acceptMany('logged-out', 1)
  const [fine] = await acceptMany('fine', 1)
  await redis.set(records.keys.accountParked('parked'), 'slow down', 'PX', 150)
  await accounts.setState('logged-out', 'needs-login')

  expect(await records.dispatch()).toEqual([fine])
  await accounts.setState('logged-out', 'ready')
  expect(await records.dispatch()).toEqual([loggedOut])
  await new Promise((resolve) => void setTimeout(resolve, 200))
  expect(await records.dispatch()).toEqual([parked])
})

test('records of an unknown version are left alone and stay visible; others go on', async () => {
  const { redis, overview, uploads } = records.stores
  await records.addAccount('main')
  const unknown = await records.accept()
  const known = await records.accept()
  await redis.hset(records.keys.upload(unknown), 'v', RECORD_VERSION + 1)

  expect(await records.dispatch()).toEqual([known])
  expect(await records.dispatch()).toEqual([])
  expect(await uploads.list({ state: 'queued' }, { limit: 10 })).toEqual([unknown])
  expect(await overview.readEach([unknown])).toEqual([
    { id: unknown, unreadable: expect.stringContaining('another version') },
  ])
  await redis.hset(records.keys.upload(unknown), 'v', RECORD_VERSION)
  expect(await records.dispatch()).toEqual([unknown])
})

test('many records of an unknown version do not block those behind them', async () => {
  const { redis } = records.stores
  await records.addAccount('main')
  for (const id of await acceptMany('main', 150)) await redis.hset(records.keys.upload(id), 'v', 99)
  const known = await records.accept()
  expect(await records.dispatch()).toEqual([known])
})

test('many waiting for one destination do not keep the account from others', async () => {
  await records.addAccount('main')
  const line: string[] = []
  for (let index = 0; index < 150; index += 1) line.push(await records.accept({ to: 'one place' }))
  const other = await records.accept({ to: 'elsewhere' })
  expect(await records.dispatch()).toEqual([line[0], other])
})

test('two dispatchers at once give each upload to one of them', async () => {
  await records.addAccount('main', { maxActiveUploads: 1000 })
  const ids = await acceptMany('main', 60)
  const rounds = await Promise.all(Array.from({ length: 6 }, async () => records.dispatch(20)))
  const started = rounds.flat()
  expect(started).toHaveLength(60)
  expect(new Set(started)).toEqual(new Set(ids))
})
