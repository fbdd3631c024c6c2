import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
})

afterEach(async () => records[Symbol.asyncDispose]())

const bindTo = async (id: string, remoteId: string): Promise<unknown> =>
  records.stores.uploads.bind(await records.read(id), {}, { key: `test/${remoteId}`, remoteId })

/** Runs whatever may run, one after the other, and answers in which order that was. */
const runAll = async (): Promise<string[]> => {
  const order: string[] = []
  for (let next = await records.dispatch(); next.length > 0; next = await records.dispatch()) {
    expect(next).toHaveLength(1)
    order.push(...next)
    await records.end(next[0] ?? '')
  }
  return order
}

test('uploads to one destination run one at a time, first come first served', async () => {
  const ids = [
    await records.accept({ to: 'x' }),
    await records.accept({ to: 'x' }),
    await records.accept({ to: 'x' }),
  ]
  expect(await runAll()).toEqual(ids)
})

test('a more urgent upload does not overtake an older one at the same destination', async () => {
  const older = await records.accept({ to: 'x', priority: 90 })
  const newer = await records.accept({ to: 'x', priority: 1 })
  expect(await runAll()).toEqual([older, newer])
})

test('uploads of two accounts to one destination run one at a time', async () => {
  await records.addAccount('other')
  const ids = [
    await records.accept({ to: 'x', account: 'main' }),
    await records.accept({ to: 'x', account: 'other' }),
    await records.accept({ to: 'x', account: 'main' }),
  ]
  expect(await runAll()).toEqual(ids)
})

test('a destination that is held for something else is left alone until it is given back', async () => {
  const { overview, uploads } = records.stores
  expect(await overview.hold('x', 'deleting', 10_000)).toBeUndefined()
  const id = await records.accept({ to: 'x' })
  expect(await records.dispatch()).toEqual([])
  expect(await uploads.owner('x')).toBe('deleting')
  await overview.release('x', 'deleting')
  expect(await records.dispatch()).toEqual([id])
  expect(await overview.hold('x', 'deleting', 10_000)).toBe(id)
})

test('an upload cancelled while queued leaves the line, at its head and in its middle', async () => {
  const { uploads } = records.stores
  const [a, b, c, d] = [
    await records.accept({ to: 'x' }),
    await records.accept({ to: 'x' }),
    await records.accept({ to: 'x' }),
    await records.accept({ to: 'x' }),
  ]
  expect(await uploads.want(a, 'cancel')).toEqual({ kind: 'ok', state: 'cancelled' })
  expect(await records.dispatch()).toEqual([b])
  await uploads.want(c, 'cancel')
  await records.end(b)
  expect(await runAll()).toEqual([d])
  expect(await uploads.owner('x')).toBeUndefined()
})

test('those who wait for a name wait in order for the id that it is bound to, and so do newcomers', async () => {
  const first = await records.accept({ name: 'world' })
  const second = await records.accept({ name: 'world' })
  const third = await records.accept({ name: 'world' })
  expect(await records.dispatch()).toEqual([first])
  await bindTo(first, 'file_1')
  const byName = await records.accept({ name: 'world' })
  const byId = await records.accept({ to: 'test/file_1' })

  expect(await records.dispatch()).toEqual([])
  await records.end(first)
  expect(await runAll()).toEqual([second, third, byName, byId])
})

test('whoever waits for the id already comes after those who wait for the name that it is bound to', async () => {
  const named = await records.accept({ name: 'world' })
  const namedToo = await records.accept({ name: 'world' })
  expect(await records.dispatch()).toEqual([named])
  const byId = await records.accept({ to: 'test/file_1' })
  await bindTo(named, 'file_1')

  expect(await records.dispatch()).toEqual([])
  await records.end(named)
  expect(await runAll()).toEqual([namedToo, byId])
})

test('a name can not be bound to what another running upload owns', async () => {
  const byId = await records.accept({ to: 'test/file_1' })
  const named = await records.accept({ name: 'world' })
  expect(await records.dispatch()).toEqual([byId, named])
  expect(await bindTo(named, 'file_1')).toBe('taken')
  await records.end(byId)
  expect(await bindTo(named, 'file_1')).toMatchObject({ destination: 'test/file_1' })
})

test('a failed upload by name leaves the line to the next', async () => {
  const first = await records.accept({ name: 'world' })
  const second = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(first, 'file_1')
  await records.end(first, 'failed')
  expect(await runAll()).toEqual([second])
})

test('uploads by one name run one at a time also while the name gets a new File', async () => {
  const first = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(first, 'file_1')
  await records.end(first)
  const before = await records.accept({ name: 'world' })
  const fresh = await records.accept({ name: 'world', fresh: true })
  const after = await records.accept({ name: 'world' })
  const byId = await records.accept({ to: 'test/file_1' })

  expect(await records.dispatch()).toEqual([before])
  await records.end(before)
  expect(await records.dispatch()).toEqual([fresh])
  await bindTo(fresh, 'file_2')
  // The old File is free for who means it by its id; the name means the new one.
  expect(await records.dispatch()).toEqual([byId])
  const { uploads } = records.stores
  expect(await uploads.boundTo(await records.read(after))).toBe('file_2')
  expect(await records.read(after)).toMatchObject({ destination: 'test/file_2' })
  expect(await records.read(byId)).toMatchObject({ destination: 'test/file_1' })
  await records.end(fresh)
  expect(await records.dispatch()).toEqual([after])
})

test('two that make a new File for one name before there is any run one after the other', async () => {
  const one = await records.accept({ name: 'world', fresh: true })
  const other = await records.accept({ name: 'world' })
  const another = await records.accept({ name: 'world', fresh: true })
  expect(await runAll()).toEqual([one, other, another])
})

test('a retry goes where its name leads now, not where it led when it failed', async () => {
  const { uploads } = records.stores
  const failed = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(failed, 'file_1')
  await records.end(failed, 'failed')
  const next = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(next, 'file_2')
  await uploads.want(failed, 'retry')

  expect(await records.read(failed)).toMatchObject({ state: 'queued', destination: 'test/file_2' })
  expect(await records.dispatch()).toEqual([])
  await records.end(next)
  expect(await runAll()).toEqual([failed])
})
