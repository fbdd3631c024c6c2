import { afterEach, beforeEach, expect, test } from 'vitest'
import { Stale } from '#shared/records/changes.ts'
import { openRecords } from '../../support/records.ts'
import type { Records } from '../../support/records.ts'

let records: Records

beforeEach(async () => {
  records = await openRecords()
  await records.addAccount('main')
})

afterEach(async () => records[Symbol.asyncDispose]())

const idempotency = { key: 'k1', bodyHash: 'body', ttlMs: 60_000 }

test('the same idempotency key with the same body answers the upload that it made, and makes no other', async () => {
  const first = await records.accept({ idempotency })

  expect(await records.tryAccept({ idempotency })).toEqual({ kind: 'repeated', id: first })
  expect(await records.tryAccept({ idempotency: { ...idempotency, bodyHash: 'other' } })).toEqual({
    kind: 'conflict',
    id: first,
  })
  expect(await records.stores.uploads.list({}, { limit: 10 })).toEqual([first])
})

test('twenty requests at once with one key make one upload', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => records.tryAccept({ idempotency })),
  )

  expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(1)
  expect(answers.filter(({ kind }) => kind === 'repeated')).toHaveLength(19)
  expect(await records.stores.uploads.list({}, { limit: 30 })).toHaveLength(1)
})

test('an idempotency key that was given up on is free again', async () => {
  await records.accept({ idempotency: { ...idempotency, ttlMs: 1 } })
  await new Promise((resolve) => void setTimeout(resolve, 20))

  expect(await records.tryAccept({ idempotency })).toMatchObject({ kind: 'accepted' })
})

test('accepting the very same upload again, after a lost answer, changes nothing', async () => {
  const upload = records.newUpload()
  await records.stores.uploads.accept(upload)
  await records.dispatch()

  expect(await records.stores.uploads.accept(upload)).toEqual({ kind: 'accepted', id: upload.id })
  expect(await records.read(upload.id)).toMatchObject({ state: 'preparing' })
  expect(await records.dispatch()).toEqual([])
})

test('nothing is accepted for an account that was removed, and no key is left of it', async () => {
  expect(await records.stores.accounts.remove('main')).toBe(0)
  const before = await records.allKeys()

  expect(await records.tryAccept({ idempotency })).toEqual({ kind: 'no-account' })
  expect(await records.allKeys()).toEqual(before)
})

test('an account with an upload that has not ended is not removed', async () => {
  const id = await records.accept()
  expect(await records.stores.accounts.remove('main')).toBe(1)
  await records.dispatch()
  expect(await records.stores.accounts.remove('main')).toBe(1)

  await records.end(id)
  expect(await records.stores.accounts.remove('main')).toBe(0)
})

test('a change by a reader of an old rev is refused and writes nothing', async () => {
  const { uploads } = records.stores
  const id = await records.accept()
  await records.dispatch()
  const old = await records.read(id)
  await uploads.transition(old, { partsTotal: 1 })

  await expect(uploads.transition(old, { partsTotal: 2, state: 'failed' })).rejects.toThrow(Stale)
  expect(await records.read(id)).toMatchObject({ partsTotal: 1, state: 'preparing' })
})

test('a change by a worker of an old epoch is refused, even with the right rev', async () => {
  const { uploads } = records.stores
  const id = await records.accept()
  await records.dispatch()
  const old = await records.read(id)
  const now = await uploads.transition(old, { epoch: 2 })

  await expect(uploads.transition({ ...now, epoch: 1 }, { state: 'failed' })).rejects.toThrow(Stale)
  expect(await records.read(id)).toMatchObject({ epoch: 2, state: 'preparing' })
})

test.each(['completed', 'skipped', 'failed', 'cancelled'] as const)(
  'nothing changes an upload that ended as %s',
  async (state) => {
    const { uploads } = records.stores
    const id = await records.accept()
    await records.dispatch()
    await records.end(id, state)
    const ended = await records.read(id)

    await expect(uploads.transition(ended, { state: 'preparing' })).rejects.toThrow(Stale)
    await uploads.blame(ended, 'failure', { class: 'internal', message: 'late' })
    await expect(uploads.bind(ended, {}, { key: 'a', remoteId: 'b' })).rejects.toThrow(Stale)
    expect(await records.read(id)).toEqual(ended)
  },
)

test('the first reason for a failure stands, and one of an old epoch is not taken', async () => {
  const { uploads } = records.stores
  const id = await records.accept()
  await records.dispatch()
  await uploads.blame({ id, epoch: 1 }, 'failure', { class: 'refused', message: 'first' })
  await uploads.blame({ id, epoch: 1 }, 'failure', { class: 'internal', message: 'second' })
  await uploads.blame({ id, epoch: 7 }, 'restart', { class: 'internal', message: 'of another epoch' })

  const record = await records.read(id)
  expect(record.failure).toMatchObject({ class: 'refused', message: 'first' })
  expect(record.restart).toBeUndefined()
})

test('a new epoch drops receipts, sendings and reasons of the old one, and counts its bytes as sent twice', async () => {
  const { uploads, parts, redis } = records.stores
  const id = await records.accept()
  await records.dispatch()
  const record = await uploads.transition(await records.read(id), { state: 'transferring' })
  const key = { upload: id, epoch: 1, blob: 'file', number: 1 }
  await parts.countSending(key, 1)
  await parts.save(key, 3, { etag: '"a"', md5: 'a', bytes: 10, at: 1 })
  await uploads.blame(record, 'restart', { class: 'session-lost', message: 'gone' })
  await uploads.transition(record, { epoch: 2, state: 'preparing' })

  expect(await records.read(id)).toMatchObject({ bytesSent: 0, bytesResent: 10, partsDone: 0, epoch: 2 })
  expect((await records.read(id)).restart).toBeUndefined()
  expect(await redis.exists(records.keys.parts(id, 1), records.keys.sending(id, 1))).toBe(0)
})

test('a cancel is refused after the end, and a retry before it', async () => {
  const { uploads } = records.stores
  const id = await records.accept()
  expect(await uploads.want(id, 'retry')).toEqual({ kind: 'not-ended', state: 'queued' })
  await records.dispatch()
  expect(await uploads.want(id, 'retry')).toEqual({ kind: 'not-ended', state: 'preparing' })
  await records.end(id)

  expect(await uploads.want(id, 'cancel')).toEqual({ kind: 'ended', state: 'completed' })
  expect(await uploads.want(id, 'retry')).toEqual({ kind: 'ended', state: 'completed' })
  expect(await uploads.want('upl_none', 'cancel')).toEqual({ kind: 'missing', state: undefined })
})

test('a retry begins anew: another epoch and run, no old reason, a deadline as long as before', async () => {
  const { uploads } = records.stores
  const id = await records.accept()
  await records.dispatch()
  const before = await uploads.transition(await records.read(id), {
    failure: { class: 'refused', message: 'no', at: 1 },
    restarts: { 'source-changed': 1 },
  })
  await uploads.transition(before, { state: 'failed', error: { class: 'refused', message: 'no', at: 1 } })

  expect(await uploads.want(id, 'retry')).toEqual({ kind: 'ok', state: 'queued' })
  const record = await records.read(id)
  expect(record).toMatchObject({ state: 'queued', epoch: 2, restarts: {}, desired: 'run' })
  expect(record.error ?? record.failure ?? record.endedAt).toBeUndefined()
  expect(record.deadline - Date.now()).toBeGreaterThan(590_000)
  expect(await uploads.dispatch(10)).toMatchObject([{ id, run: 2 }])
})

test('a retry stands at the tail of the line, behind what was accepted meanwhile', async () => {
  const { uploads } = records.stores
  const first = await records.accept({ to: 'place' })
  await records.dispatch()
  const second = await records.accept({ to: 'place' })
  await records.end(first, 'failed')
  await uploads.want(first, 'retry')
  const third = await records.accept({ to: 'place' })

  for (const next of [second, first, third]) {
    expect(await records.dispatch()).toEqual([next])
    await records.end(next)
  }
})

test('an upload that was removed leaves no key under its id, whatever was known of it', async () => {
  const { uploads, parts } = records.stores
  const id = await records.accept()
  await records.dispatch()
  await uploads.begin(id, 'job', 'instance-1')
  await uploads.begin(id, 'job', 'instance-2')
  let record = await uploads.transition(await records.read(id), { state: 'transferring' })
  for (const epoch of [1, 2, 3]) {
    const key = { upload: id, epoch, blob: 'file', number: 1 }
    await parts.openChain(record, 'file', 2)
    await parts.countSending(key, 1)
    await parts.save(key, 3, { etag: '"a"', md5: 'a', bytes: 10, at: 1 })
    record = await uploads.transition(record, { epoch: epoch + 1 })
    // A part of the epoch that just ended gives up late.
    await parts.countSending(key, -1)
  }
  await parts.saveDigests(id, { source: ['a', 'b'] })
  await records.end(id, 'failed')
  await uploads.remove(id)

  expect((await records.allKeys()).filter((key) => key.includes(id))).toEqual([])
  expect(await uploads.list({}, { limit: 10 })).toEqual([])
  expect(await uploads.read(id)).toBeUndefined()
})

test('whoever works for an upload that was removed does not bring it back as a ghost', async () => {
  const { uploads, parts } = records.stores
  const id = await records.accept()
  await records.dispatch()
  const record = await records.read(id)
  await records.end(id, 'failed')
  await uploads.remove(id)

  await uploads.waitingFor(id, 'something')
  await parts.countResent(id, 10)
  await parts.countSending({ upload: id, epoch: 1, blob: 'file', number: 1 }, -1)
  await parts.openChain(record, 'file', 2)
  await uploads.begin(id, 'job', 'instance-1')
  expect((await records.allKeys()).filter((key) => key.includes(id))).toEqual([])
})

test('an upload that has not ended is not removed', async () => {
  const id = await records.accept()
  await records.stores.uploads.remove(id)
  expect(await records.read(id)).toMatchObject({ state: 'queued' })
})
