import { expect, test } from 'vitest'
import { codeInstead } from '../../fakes/cloudreve/faults.ts'
import { CHUNK, openDrive, type Drive } from '../../support/cloudreve-service.ts'
import { beginElsewhere } from '../../support/cloudreve-stranger.ts'
import { eventually } from '../../support/service.ts'

const assertNothingLeft = async ({ fake }: Drive): Promise<void> => {
  expect(fake.placeholders()).toEqual([])
  expect(fake.openSessions()).toEqual([])
  expect((await fake.totals()).reservedBytes).toBe(0)
  for (const store of fake.stores) expect([store.kind, store.unfinished()]).toEqual([store.kind, 0])
}

test("somebody's running upload to the place is left alone, and the account says so", async () => {
  await using drive = await openDrive()
  await beginElsewhere(drive)
  const id = await drive.upload({ name: 'a.bin', content: 10 })
  const waiting = await drive.until(id, ({ waitingFor }) => waitingFor !== undefined)

  expect(waiting.waitingFor).toContain('another upload to cloudreve://my/a.bin is under way')
  expect(waiting.waitingFor).toContain('1440 minutes')
  expect(drive.fake.placeholders()).toHaveLength(1)
  expect(drive.requests('deleteSession')).toEqual([])
})

test('onForeign delete: it is removed at once; fail: ours fails', async () => {
  await using drive = await openDrive({ settings: { onForeign: 'delete' } })
  await beginElsewhere(drive)
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10 }))
  expect(record).toMatchObject({ state: 'completed' })
  await drive.assertArrived(record)
  await assertNothingLeft(drive)

  await using other = await openDrive({ settings: { onForeign: 'fail' } })
  await beginElsewhere(other)
  const failed = await other.until(await other.upload({ name: 'a.bin', content: 10 }))
  expect(failed).toMatchObject({ state: 'failed', error: { class: 'foreign-version' } })
  expect(other.fake.placeholders()).toHaveLength(1)
})

test('a stale placeholder, whose session the site has forgotten, is taken over', async () => {
  await using drive = await openDrive()
  await beginElsewhere(drive)
  drive.fake.restart({ sessions: 'lost' })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: CHUNK + 1 }))

  expect(record).toMatchObject({ state: 'completed' })
  await drive.assertArrived(record)
  await assertNothingLeft(drive)
})

test('row 22: the session of a creation whose answer was lost is removed, and another one made', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 'createSession', action: 'lost-reply', times: 1 })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: CHUNK + 1 }))

  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  await drive.assertArrived(record)
  expect(drive.requests('createSession')).toHaveLength(2)
  expect(drive.requests('deleteSession')).toHaveLength(1)
  await assertNothingLeft(drive)
})

test('row 22: so is that of a version, and what was there before stays', async () => {
  await using drive = await openDrive()
  await drive.fake.seedFile({ uri: 'cloudreve://my/a.bin', bytes: Buffer.from('theirs') })
  drive.fake.faults.add({ operation: 'createSession', action: 'lost-reply', times: 1 })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: CHUNK + 1 }))

  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  const [file] = await drive.fake.files()
  expect(file?.entities).toHaveLength(2)
  await assertNothingLeft(drive)
})

test('an empty file outlives the cancelled version of it', async () => {
  await using drive = await openDrive()
  await drive.until(await drive.upload({ name: 'a.bin', content: 0 }))
  drive.fake.faults.add({ operation: 'sendChunk', action: codeInstead(40_051) })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10 }))

  expect(record).toMatchObject({ state: 'failed' })
  const [file] = await drive.fake.files()
  expect(file).toMatchObject({ uri: 'cloudreve://my/a.bin', size: 0 })
  await assertNothingLeft(drive)
})

const kinds = [
  '',
  'relay/',
  'remote/',
  's3/',
  'ks3/',
  'oss/',
  'cos/',
  'obs/',
  'onedrive/',
  'qiniu/',
  'upyun/',
]
const sends: Record<string, string> = {
  '': 'sendChunk',
  'relay/': 'sendChunk',
  'remote/': 'remote.chunk',
  'onedrive/': 'onedrive.putRange',
  'upyun/': 'upyun.post',
}

test.for(kinds)('a cancel while parts are sent leaves nothing behind: my/%s', async (folder) => {
  await using drive = await openDrive()
  const sending = sends[folder] ?? `${folder.slice(0, -1)}.putPart`
  drive.fake.faults.addUnchecked({ operation: sending, action: 'hang', nth: 2 })
  drive.fake.faults.addUnchecked({
    operation: sending,
    action: 'hang',
    times: folder === 'relay/' || folder === 'upyun/' ? 1 : 0,
  })
  const id = await drive.upload({ name: 'a.bin', content: 3 * CHUNK, to: `cloudreve://my/${folder}` })
  await eventually(() =>
    drive.fake.ledger.some(({ operation, fault }) => operation === sending && fault === 'hang'),
  )
  await drive.stores.uploads.want(id, 'cancel')

  expect(await drive.until(id)).toMatchObject({ state: 'cancelled' })
  await assertNothingLeft(drive)
  expect((await drive.fake.files()).filter(({ type }) => type === 'file')).toEqual([])
})

test('a placeholder is left alone until foreignWaitMs is over, and then removed', async () => {
  await using drive = await openDrive({ settings: { foreignWaitMs: 1500 } })
  await beginElsewhere(drive)
  const id = await drive.upload({ name: 'a.bin', content: 10 })
  await drive.until(id, ({ waitingFor }) => waitingFor !== undefined)
  const record = await drive.until(id)
  expect(record).toMatchObject({ state: 'completed' })
  await drive.assertArrived(record)
  await assertNothingLeft(drive)
})
