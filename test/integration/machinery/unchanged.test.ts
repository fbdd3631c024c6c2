import { utimes, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const world = { destination: { name: 'world' } }

const sent = ({ requests }: Service): number => requests('putPart', 'createFileVersion').length

test('the same file again is skipped by the ledger, without a look into it', async () => {
  await using service = await openService()
  const path = await service.machine.source('a.vrcw', 1000)
  await utimes(path, 1000, 1000)
  const first = await service.until(await service.upload({ name: 'a.vrcw', request: world }))
  const before = sent(service)
  // Other bytes under the same fingerprint: whoever reads them takes the file for changed.
  await writeFile(path, Buffer.alloc(1000))
  await utimes(path, 1000, 1000)
  const again = await service.until(await service.upload({ name: 'a.vrcw', request: world }))

  expect(again).toMatchObject({ state: 'skipped', version: { number: 1, remoteId: first.version?.remoteId } })
  expect(again.hashes).toBeUndefined()
  expect(sent(service)).toBe(before)
})

test('the same bytes in another file are skipped by their hash', async () => {
  await using service = await openService()
  const content = Buffer.from('the same bytes')
  await service.until(await service.upload({ name: 'a.vrcw', content, request: world }))
  const before = sent(service)
  const again = await service.until(await service.upload({ name: 'b.vrcw', content, request: world }))

  expect(again).toMatchObject({ state: 'skipped', version: { number: 1 } })
  expect(again.hashes).toBeDefined()
  expect(sent(service)).toBe(before)
})

test('what was skipped by hash is skipped by the ledger the next time', async () => {
  await using service = await openService()
  const content = Buffer.from('the same bytes')
  await service.until(await service.upload({ name: 'a.vrcw', content, request: world }))
  await service.until(await service.upload({ name: 'b.vrcw', content, request: world }))
  const third = await service.until(await service.upload({ name: 'b.vrcw', request: world }))
  expect(third.state).toBe('skipped')
  expect(third.hashes).toBeUndefined()
})

test('a touched file is read again, and skipped all the same', async () => {
  await using service = await openService()
  await service.until(await service.upload({ name: 'a.vrcw', content: 100, request: world }))
  await utimes(`${service.machine.folder}/a.vrcw`, 1, 1)
  const again = await service.until(await service.upload({ name: 'a.vrcw', request: world }))
  expect(again.state).toBe('skipped')
  expect(again.hashes).toBeDefined()
})

test('onUnchanged: upload sends the same file as a new version', async () => {
  await using service = await openService()
  await service.until(await service.upload({ name: 'a.vrcw', content: 100, request: world }))
  const request = { ...world, onUnchanged: 'upload' }
  const again = await service.until(await service.upload({ name: 'a.vrcw', request }))
  expect(again).toMatchObject({ state: 'completed', version: { number: 2 } })
})

test('bytes that are those of an older version are sent again', async () => {
  await using service = await openService()
  const [one, two] = [Buffer.from('one'), Buffer.from('two')]
  const states: string[] = []
  for (const [index, content] of [one, two, one].entries()) {
    const id = await service.upload({ name: `build-${index}`, content, request: world })
    states.push((await service.until(id)).state)
  }
  // By the ledger as well: the first file itself, though the newest version is of another.
  const last = await service.until(await service.upload({ name: 'build-1', request: world }))

  expect(states).toEqual(['completed', 'completed', 'completed'])
  expect(last).toMatchObject({ state: 'completed', version: { number: 4 } })
})

test('a version that somebody else put on top makes the file count as changed', async () => {
  await using service = await openService()
  const first = await service.until(await service.upload({ name: 'a.vrcw', content: 100, request: world }))
  await service.fake.seedVersion(first.version?.remoteId ?? '')
  const again = await service.until(await service.upload({ name: 'a.vrcw', request: world }))
  expect(again).toMatchObject({ state: 'completed', version: { number: 3 } })
})
