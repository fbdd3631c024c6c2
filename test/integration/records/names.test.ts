import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
  await records.addAccount('other')
})

afterEach(async () => records[Symbol.asyncDispose]())

const unbound = 'test/main/name/world'

const bindTo = async (id: string, remoteId: string): Promise<unknown> =>
  records.stores.uploads.bind(await records.read(id), {}, { key: `test/${remoteId}`, remoteId })

/** Runs one by this name until it completes: from then on the name means that File. */
async function bindName(remoteId: string): Promise<void> {
  const id = await records.accept({ name: 'world', fresh: true })
  expect(await records.dispatch()).toEqual([id])
  await bindTo(id, remoteId)
  await records.end(id)
}

/** One that was sent whole to what the name means, was never seen complete, and is tried again. */
async function retryUnconfirmed(): Promise<string> {
  const { uploads } = records.stores
  const id = await records.accept({ name: 'world' })
  await records.dispatch()
  const session = { blobs: [], state: {} }
  await uploads.transition(await records.read(id), { session, state: 'confirming' })
  await records.end(id, 'failed')
  return id
}

test('a retry goes where its name leads, also when that is nowhere any more', async () => {
  const { uploads } = records.stores
  const first = await records.accept({ name: 'world' })
  await records.dispatch()
  await bindTo(first, 'file_1')
  const second = await records.accept({ name: 'world' })
  await uploads.want(second, 'cancel')
  await records.end(first, 'failed')
  const third = await records.accept({ name: 'world' })
  await uploads.want(second, 'retry')

  expect(await records.read(second)).toMatchObject({ destination: unbound })
  // Were it elsewhere, both would run at once, and each would make a File of that name.
  expect(await records.dispatch()).toEqual([third])
})

test('a retry does not go where the name led before its account was removed', async () => {
  const { uploads, accounts } = records.stores
  await bindName('file_1')
  const failed = await records.accept({ name: 'world' })
  await records.dispatch()
  await records.end(failed, 'failed')
  expect(await accounts.remove('main')).toBe(0)
  await records.addAccount('main')
  await uploads.want(failed, 'retry')

  expect(await records.read(failed)).toMatchObject({ destination: unbound })
})

test('who waits for the id goes before who was accepted later and waits for the name', async () => {
  const { accounts } = records.stores
  await accounts.setState('other', 'needs-login')
  const named = await records.accept({ name: 'world' })
  const byId = await records.accept({ to: 'test/file_1', account: 'other' })
  const namedLater = await records.accept({ name: 'world' })
  expect(await records.dispatch()).toEqual([named])
  await bindTo(named, 'file_1')
  await records.end(named)

  expect(await records.dispatch()).toEqual([])
  await accounts.setState('other', 'ready')
  expect(await records.dispatch()).toEqual([byId])
  await records.end(byId)
  expect(await records.dispatch()).toEqual([namedLater])
})

test('who comes back with the name goes before who was accepted later and waits for the id', async () => {
  const { accounts } = records.stores
  await bindName('file_1')
  await accounts.setState('other', 'needs-login')
  const fresh = await records.accept({ name: 'world', fresh: true })
  const named = await records.accept({ name: 'world' })
  const byId = await records.accept({ to: 'test/file_1', account: 'other' })
  await records.dispatch()
  await bindTo(fresh, 'file_2')
  await records.end(fresh, 'failed')
  await accounts.setState('other', 'ready')

  expect(await records.dispatch()).toEqual([named])
  await records.end(named)
  expect(await records.dispatch()).toEqual([byId])
})

test('one that waits with a session stays with the place that it is for when its name gets another', async () => {
  const { uploads } = records.stores
  await bindName('file_1')
  const waiting = await retryUnconfirmed()
  const fresh = await records.accept({ name: 'world', fresh: true })
  expect(await records.dispatch()).toEqual([fresh])
  await uploads.want(waiting, 'retry')
  await bindTo(fresh, 'file_2')

  expect(await records.read(waiting)).toMatchObject({ destination: 'test/file_1' })
  expect(await records.dispatch()).toEqual([waiting])
})

test('who waits for a name follows it, also when it was at another place than who binds it anew', async () => {
  const { uploads } = records.stores
  await bindName('file_1')
  const old = await retryUnconfirmed()
  await bindName('file_2')
  await uploads.want(old, 'retry')
  expect(await records.dispatch()).toEqual([old])
  const waiting = await records.accept({ name: 'world' })
  expect(await records.read(waiting)).toMatchObject({ destination: 'test/file_2' })

  await uploads.transition(await records.read(old), { epoch: 2 }, { remove: ['session'] })
  await bindTo(old, 'file_3')
  expect(await records.read(waiting)).toMatchObject({ destination: 'test/file_3' })
  expect(await records.dispatch()).toEqual([])
})
