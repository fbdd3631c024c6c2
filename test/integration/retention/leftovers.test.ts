import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newUploadId } from '#shared/ids.ts'
import { openRecords } from '../../support/records.ts'
import { eventually, openService } from '../../support/service.ts'
import { LONG_MS } from './stage.ts'

test('a worker that is late with its hashes brings nothing back of an upload that was removed', async () => {
  await using records = await openRecords()
  const { uploads, parts } = records.stores
  await records.addAccount('main')
  const id = await records.accept()
  await uploads.want(id, 'cancel')
  await uploads.remove(id)

  await parts.saveDigests(id, { source: ['a', 'b'], signature: ['c'] })

  expect((await records.allKeys()).filter((key) => key.includes(id))).toEqual([])
})

test('the hashes of many thousand parts are kept, in place of all that were there', async () => {
  await using records = await openRecords()
  const { parts, overview } = records.stores
  await records.addAccount('main')
  const id = await records.accept()
  await parts.saveDigests(id, { source: Array.from({ length: 4000 }, (_, index) => `old ${index}`) })
  const md5s = Array.from({ length: 2500 }, (_, index) => `md5 ${index}`)

  await parts.saveDigests(id, { source: md5s, signature: ['s'] })

  expect(Object.keys(await overview.digests(id))).toHaveLength(2501)
  expect(await parts.digest(id, 'source', 2500)).toBe('md5 2499')
  expect(await parts.digest(id, 'signature', 1)).toBe('s')
})

test('a login that is under way when its account is removed leaves nothing of the account', async () => {
  await using records = await openRecords()
  const { accounts, governors } = records.stores
  await records.addAccount('main')
  const account = await accounts.read('main')
  if (account === undefined) throw new Error('There is no account')
  const governor = governors.calls('main', account.limits, 'login')
  await accounts.remove('main')
  const before = await records.allKeys()

  const call = governor.call(new AbortController().signal, async () => 'logged in')

  await expect(call).rejects.toThrow('waits for a person')
  expect(await records.allKeys()).toEqual(before)
  expect(before.filter((key) => key.includes(':account:'))).toEqual([])
})

test('the event log keeps as many changes as its setting says', async () => {
  await using records = await openRecords()
  await records.addAccount('main')
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(Array.from({ length: 150 }, async () => records.accept()))
  }
  // 100, and whole nodes of 100 are trimmed.
  expect(await records.stores.redis.xlen(`${records.keys.prefix}:events`)).toBeLessThan(220)
})

test('a record that only another version can read keeps its signature, and no others', async () => {
  await using service = await openService({ workers: 0 })
  const { stores, machine } = service
  const strange = await service.upload({ name: 'a.vrca', content: 10 })
  await stores.redis.hset(stores.keys.upload(strange), 'v', 99)
  const folder = join(machine.config.dataDir, 'signatures')
  // Some sort before it, some behind.
  const gone = [`upl_0${newUploadId().slice(5)}`, `upl_z${newUploadId().slice(5)}`]
  for (const id of [strange, ...gone]) await mkdir(join(folder, `${id}-1`), { recursive: true })

  await service.startWorker()

  const left = await eventually(async () => {
    const names = await readdir(folder)
    return names.length === 1 && names
  }, LONG_MS)
  expect(left).toEqual([`${strange}-1`])
})
