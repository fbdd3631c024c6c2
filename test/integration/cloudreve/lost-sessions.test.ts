import { expect, test } from 'vitest'
import { codeInstead } from '../../fakes/cloudreve/faults.ts'
import { storeKinds } from '../../fakes/cloudreve/stores/store.ts'
import { CHUNK, openDrive, type Drive } from '../../support/cloudreve-service.ts'

const folders = ['', ...storeKinds.map((kind) => `${kind}/`)].filter((folder) => folder !== 'upyun/')

/** Something happens once, when the second chunk of the first session arrives. */
function atSecondChunk({ fake }: Drive, happens: () => unknown): void {
  let seen = 0
  fake.hooks.onRequest = async ({ chunkIndex, phase }) => {
    if (chunkIndex === undefined || phase !== 'arrival') return
    seen += 1
    if (seen === 2) await happens()
  }
}

async function assertWholeAgain(drive: Drive, id: string): Promise<void> {
  const record = await drive.until(id)
  expect(record).toMatchObject({ state: 'completed', epoch: 2 })
  await drive.assertArrived(record)
  expect(record.bytesResent).toBeGreaterThanOrEqual(CHUNK)
  expect(Object.keys(record.restarts)).toEqual(['session-lost'])
  expect(drive.requests('createSession')).toHaveLength(2)
  expect(drive.fake.placeholders()).toEqual([])
  expect((await drive.fake.totals()).reservedBytes).toBe(0)
}

test.for(folders)('row 27: an expired session is started over once: my/%s', async (folder) => {
  await using drive = await openDrive()
  atSecondChunk(drive, () => drive.fake.expireSessions())
  const to = `cloudreve://my/${folder}`
  await assertWholeAgain(drive, await drive.upload({ name: 'a.bin', content: 4 * CHUNK, to }))
})

test.for(folders)('row 27: so is one whose locks a restarted site has lost: my/%s', async (folder) => {
  await using drive = await openDrive()
  atSecondChunk(drive, () => drive.fake.restart({ sessions: 'kept' }))
  const to = `cloudreve://my/${folder}`
  await assertWholeAgain(drive, await drive.upload({ name: 'a.bin', content: 4 * CHUNK, to }))
})

test('a session that is lost again within the hour fails, with the reason, and leaves nothing', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 'sendChunk', action: codeInstead(40_011), where: { chunkIndex: 1 } })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 3 * CHUNK }))

  expect(record).toMatchObject({ state: 'failed', epoch: 2, error: { class: 'session-lost' } })
  expect(record.error?.message).toContain('it was started over for this before')
  expect(drive.fake.placeholders()).toEqual([])
})

test('an outdated token is renewed and the chunk sent again: no session was lost', async () => {
  await using drive = await openDrive()
  atSecondChunk(drive, () => drive.fake.expireTokens())
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 4 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  await drive.assertArrived(record)
  expect(drive.fake.accountStats('ada@stevedore.test')).toMatchObject({ logins: 1 })
})

test('a completion that failed, and that no repeated chunk completes, is started over', async () => {
  await using drive = await openDrive({ fake: { failCompletions: 1, stuckComplete: true } })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 2 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', epoch: 2 })
  await drive.assertArrived(record)
})

test('the last chunk whose answer was lost is not taken for lost: the file is there', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 'sendChunk', action: 'lost-reply', where: { chunkIndex: 2 }, times: 1 })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 3 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  await drive.assertArrived(record)
  expect(drive.requests('createSession')).toHaveLength(1)
})
