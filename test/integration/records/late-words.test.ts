import { afterEach, beforeEach, expect, test } from 'vitest'
import { Stale } from '#shared/records/changes.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records
let running: UploadRecord

const session = { blobs: [], state: {} }
const no = { class: 'refused', message: 'no' } as const
const part = { blob: 'file', number: 1 }

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
  const id = await records.accept()
  await records.dispatch()
  const patch = { session, state: 'transferring' } as const
  running = await records.stores.uploads.transition(await records.read(id), patch)
})

afterEach(async () => records[Symbol.asyncDispose]())

/** Sent whole, never seen complete: its session and its epoch stay, also when it is tried again. */
async function endUnconfirmed(): Promise<void> {
  const { uploads } = records.stores
  await uploads.transition(running, { state: 'confirming' })
  await records.end(running.id, 'failed')
}

const failureOf = async (): Promise<unknown> => (await records.read(running.id)).failure

test('row 14: a part that fails in one run and arrived in another does not fail its upload', async () => {
  const { uploads, parts } = records.stores
  const { id, epoch } = running
  const receipt = { etag: 'a', md5: 'a', bytes: 1, at: 1 }
  await parts.save({ upload: id, epoch, ...part }, 3, receipt)
  await uploads.blame({ id, epoch, part }, 'failure', no)
  expect(await failureOf()).toBeUndefined()

  await uploads.blame({ id, epoch, part: { ...part, number: 2 } }, 'failure', no)
  expect(await failureOf()).toMatchObject(no)
})

test('row 14: a part that fails late does not fail an upload that is past its parts', async () => {
  const { uploads } = records.stores
  await uploads.transition(running, { state: 'finishing' })
  await uploads.blame({ id: running.id, epoch: running.epoch, part }, 'failure', no)
  expect(await failureOf()).toBeUndefined()
})

test('what an earlier run says does not fail a retry, neither while it waits nor when it runs', async () => {
  const { uploads } = records.stores
  await endUnconfirmed()
  await uploads.want(running.id, 'retry')
  await uploads.blame(running, 'failure', no)
  expect(await failureOf()).toBeUndefined()

  expect(await records.dispatch()).toEqual([running.id])
  await uploads.blame(running, 'restart', no)
  expect((await records.read(running.id)).restart).toBeUndefined()
  await uploads.blame(await records.read(running.id), 'restart', no)
  expect((await records.read(running.id)).restart).toMatchObject(no)
})

test('row 43: a cancel wins over a failure that was on its way when it was accepted', async () => {
  const { uploads } = records.stores
  expect(await uploads.want(running.id, 'cancel')).toMatchObject({ kind: 'ok' })

  await expect(uploads.transition(running, { state: 'failed' })).rejects.toThrow(Stale)
  await records.end(running.id, 'cancelled')
  expect(await records.read(running.id)).toMatchObject({ state: 'cancelled' })
})

test('row 43: a cancel wins over the deadline of an upload that waits to be cleaned up', async () => {
  const { uploads, redis, keys } = records.stores
  await endUnconfirmed()
  await uploads.want(running.id, 'retry')
  expect(await uploads.want(running.id, 'cancel')).toEqual({ kind: 'ok', state: 'queued' })
  await redis.hset(keys.upload(running.id), 'deadline', Date.now() - 1)
  await uploads.expire(running.id)

  expect(await records.read(running.id)).toMatchObject({ state: 'cancelled', error: { class: 'deadline' } })
})
