import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
})

afterEach(async () => records[Symbol.asyncDispose]())

/** What prepare does once the File of a name is there. */
const bindTo = async (id: string, remoteId: string): Promise<unknown> =>
  records.stores.uploads.bind(await records.read(id), {}, { key: `test/${remoteId}`, remoteId })

const boundTo = async (id: string): Promise<string | undefined> =>
  records.stores.uploads.boundTo(await records.read(id))

test('a new File that comes to nothing leaves the name with the File that it had', async () => {
  const good = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(good, 'file_1')
  await records.end(good)

  const fresh = await records.accept({ name: 'world', fresh: true })
  const next = await records.accept({ name: 'world' })
  expect(await records.dispatch()).toEqual([fresh])
  await bindTo(fresh, 'file_2')
  await records.end(fresh, 'failed')

  expect(await records.dispatch()).toEqual([next])
  expect(await boundTo(next)).toBe('file_1')
  expect(await records.read(next)).toMatchObject({ destination: 'test/file_1' })
})

test('a first File that comes to nothing leaves the name unbound, and its waiters in order', async () => {
  const first = await records.accept({ name: 'world' })
  const second = await records.accept({ name: 'world' })
  const third = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(first, 'file_1')
  await records.end(first, 'cancelled')

  expect(await boundTo(second)).toBeUndefined()
  expect(await records.dispatch()).toEqual([second])
  await bindTo(second, 'file_2')
  await records.end(second)
  expect(await records.dispatch()).toEqual([third])
  expect(await boundTo(third)).toBe('file_2')
})

test('those who wait for the abandoned File by its id stay in its line', async () => {
  const first = await records.accept({ name: 'world' })
  const named = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(first, 'file_1')
  const byId = await records.accept({ to: 'test/file_1' })
  await records.end(first, 'failed')

  expect((await records.dispatch()).toSorted()).toEqual([named, byId].toSorted())
})

test('an upload that completed keeps the name, whatever fails after it', async () => {
  const first = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(first, 'file_1')
  await records.end(first)
  const second = await records.accept({ name: 'world' })
  await records.dispatch()
  await records.end(second, 'failed')

  expect(await boundTo(second)).toBe('file_1')
})

test('a retry is refused while its account is gone', async () => {
  const { uploads, accounts } = records.stores
  const id = await records.accept()
  await records.dispatch()
  await records.end(id, 'failed')
  expect(await accounts.remove('main')).toBe(0)

  expect(await uploads.want(id, 'retry')).toEqual({ kind: 'no-account', state: undefined })
  await records.addAccount('main')
  expect(await uploads.want(id, 'retry')).toMatchObject({ kind: 'ok' })
})

test('an upload that waits for its turn beyond its deadline fails', async () => {
  const { uploads, accounts, redis, keys } = records.stores
  await accounts.setState('main', 'needs-login')
  const late = await records.accept()
  const inTime = await records.accept()
  await redis.hset(keys.upload(late), 'deadline', Date.now() - 1)
  await redis.zadd(keys.deadlines, Date.now() - 1, late)

  const overdue = await uploads.overdue(Date.now(), 10)
  expect(overdue).toEqual([late])
  for (const id of [...overdue, inTime]) await uploads.expire(id)

  expect(await records.read(late)).toMatchObject({ state: 'failed', error: { class: 'deadline' } })
  expect(await records.read(inTime)).toMatchObject({ state: 'queued' })
  expect(await uploads.overdue(Date.now(), 10)).toEqual([])
})

test('a retry has as much time as the first try, however often it is retried', async () => {
  const { uploads, redis, keys } = records.stores
  const id = await records.accept()
  // As if it had been accepted, for ten minutes, ten days ago.
  await redis.hincrby(keys.upload(id), 'createdAt', -10 * 86_400_000)
  for (const _ of [1, 2, 3]) {
    await records.dispatch()
    await records.end(id, 'failed')
    await uploads.want(id, 'retry')
    const left = (await records.read(id)).deadline - Date.now()
    expect(left).toBeGreaterThan(500_000)
    expect(left).toBeLessThanOrEqual(601_000)
  }
})

test('a cancelled retry that still has a session is cleaned up, not just dropped', async () => {
  const { uploads } = records.stores
  const id = await records.accept()
  await records.dispatch()
  const session = { blobs: [], state: { fileId: 'file_1' } }
  const running = await uploads.transition(await records.read(id), { session, state: 'confirming' })
  await uploads.transition(running, { state: 'failed' })
  await uploads.want(id, 'retry')

  expect(await uploads.want(id, 'cancel')).toEqual({ kind: 'ok', state: 'queued' })
  expect(await records.dispatch()).toEqual([id])
  expect(await records.read(id)).toMatchObject({ desired: 'cancel', state: 'preparing' })
})

test('half an emoji in a message or a name does not stop an upload', async () => {
  const id = await records.accept({ name: 'cut \ud83d' })
  await records.dispatch()
  const note = 'the provider said \ud83d'
  await records.stores.uploads.transition(await records.read(id), { state: 'failed', note })

  expect(await records.read(id)).toMatchObject({ state: 'failed', note: 'the provider said \ufffd' })
})
