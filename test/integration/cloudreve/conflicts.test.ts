import { utimes } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { CHUNK, openDrive, type Drive } from '../../support/cloudreve-service.ts'

const seeded = async (drive: Drive, name = 'a.bin'): Promise<string> =>
  drive.fake.seedFile({ uri: `cloudreve://my/${name}`, bytes: Buffer.from('theirs') })

const uris = async (drive: Drive): Promise<string[]> =>
  (await drive.fake.files()).filter(({ type }) => type === 'file').map(({ uri }) => uri)

test('version: what is there becomes the version before', async () => {
  await using drive = await openDrive()
  const theirs = await seeded(drive)
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: CHUNK + 1 }))

  expect(record).toMatchObject({ state: 'completed', version: { remoteId: 'cloudreve://my/a.bin' } })
  await drive.assertArrived(record)
  const [file] = await drive.fake.files()
  expect(file?.entities.map(({ id }) => id)).toEqual([theirs, record.version?.number])
  expect(drive.fake.violations).toEqual([])
})

test('fail: ends at once, names the place, and nothing was created or sent', async () => {
  await using drive = await openDrive()
  await seeded(drive)
  const destination = { onConflict: 'fail' }
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10, destination }))

  expect(record).toMatchObject({ state: 'failed', error: { class: 'conflict' } })
  expect(record.error?.message).toContain('cloudreve://my/a.bin exists already')
  expect(drive.requests('createSession', 'sendChunk', 'putContent')).toEqual([])
})

test('skip: ends as skipped, says why, and is no entry of the ledger', async () => {
  await using drive = await openDrive()
  const theirs = await seeded(drive)
  const destination = { onConflict: 'skip' }
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10, destination }))

  expect(record).toMatchObject({ state: 'skipped', version: { number: theirs } })
  expect(record.note).toContain('exists already and was left as it is')
  expect(await drive.stores.uploads.versions('drive', record.destination, 5)).toEqual([])
  expect(drive.requests('createSession')).toEqual([])
})

test('rename: takes the next free name, and the same file again takes none', async () => {
  await using drive = await openDrive()
  await seeded(drive)
  await seeded(drive, 'a%20(1).bin')
  const destination = { onConflict: 'rename' }
  const first = await drive.until(await drive.upload({ name: 'a.bin', content: 10, destination }))
  expect(first).toMatchObject({ state: 'completed', version: { remoteId: 'cloudreve://my/a%20(2).bin' } })
  await drive.assertArrived(first)

  const again = await drive.until(await drive.upload({ name: 'a.bin', destination }))
  expect(again).toMatchObject({ state: 'skipped', version: { remoteId: 'cloudreve://my/a%20(2).bin' } })
  expect(await uris(drive)).toHaveLength(3)
})

test('a folder in the way is a conflict that says how to upload into it', async () => {
  await using drive = await openDrive()
  await seeded(drive, 'dir/inside.bin')
  const record = await drive.until(
    await drive.upload({ name: 'a.bin', content: 10, to: 'cloudreve://my/dir' }),
  )
  expect(record).toMatchObject({ state: 'failed', error: { class: 'conflict' } })
  expect(record.error?.message).toContain('end destination.uri with /')
})

test("somebody's newer version that comes while ours is being opened is not overwritten", async () => {
  await using drive = await openDrive()
  await seeded(drive)
  let intruded = false
  drive.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'createSession' || phase !== 'arrival' || intruded) return
    intruded = true
    await drive.fake.seedFile({ uri: 'cloudreve://my/a.bin', bytes: Buffer.from('newer') })
  }
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10 }))

  expect(record).toMatchObject({ state: 'failed', error: { class: 'conflict' } })
  expect(record.error?.message).toContain('40076')
  expect((await drive.fake.contents('cloudreve://my/a.bin')).toString()).toBe('newer')
  expect(drive.fake.placeholders()).toEqual([])
})

test('a file that appears while ours is being opened follows onConflict', async () => {
  await using drive = await openDrive()
  let intruded = false
  drive.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'createSession' || phase !== 'arrival' || intruded) return
    intruded = true
    await seeded(drive)
  }
  const destination = { onConflict: 'skip' }
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10, destination }))
  expect(record).toMatchObject({ state: 'skipped' })
  expect((await drive.fake.contents('cloudreve://my/a.bin')).toString()).toBe('theirs')
})

test('the same file is skipped by the ledger, and by size and time without one; a changed one is sent', async () => {
  await using drive = await openDrive()
  const first = await drive.until(await drive.upload({ name: 'a.bin', content: CHUNK }))
  const sessions = drive.requests('createSession').length
  expect(await drive.until(await drive.upload({ name: 'a.bin' }))).toMatchObject({
    state: 'skipped',
    version: { number: first.version?.number },
  })

  // Without a ledger, all there is to judge by is what the site shows.
  await drive.stores.redis.del(drive.stores.keys.versions('drive', first.destination))
  expect(await drive.until(await drive.upload({ name: 'a.bin' }))).toMatchObject({ state: 'skipped' })
  expect(drive.requests('createSession')).toHaveLength(sessions)
  await utimes(`${drive.machine.folder}/a.bin`, new Date(), new Date(1_700_000_000_000))
  const changed = await drive.until(await drive.upload({ name: 'a.bin' }))
  expect(changed).toMatchObject({ state: 'completed' })
  expect(changed.version?.number).not.toBe(first.version?.number)
})
