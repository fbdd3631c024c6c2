import { expect, test } from 'vitest'
import type { PolicySpec } from '../../fakes/cloudreve/server.ts'
import { CHUNK, openDrive, type Drive } from '../../support/cloudreve-service.ts'

const local = (more: Partial<PolicySpec> = {}): PolicySpec => ({
  type: 'local',
  chunkSize: CHUNK,
  chunkConcurrency: 3,
  ...more,
})

const indexes = (drive: Drive): (number | undefined)[] =>
  drive.requests('sendChunk').map(({ chunkIndex }) => chunkIndex)

/** Most chunks that were under way at one time. */
function atOnce(drive: Drive): number {
  const events = drive
    .requests('sendChunk')
    .flatMap(({ time, endedAt = time }) => [
      { at: time, by: 1 },
      { at: endedAt, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by)
  let now = 0
  return Math.max(...events.map(({ by }) => (now += by)))
}

const slowed = { operation: 'sendChunk', action: { kind: 'delay', ms: 100 } } as const

test('as many chunks are under way as the site allows, and one where it says nothing', async () => {
  await using drive = await openDrive({ fake: { policies: [local()] } })
  drive.fake.faults.add(slowed)
  await drive.assertArrived(await drive.until(await drive.upload({ name: 'a.bin', content: 9 * CHUNK })))
  expect(atOnce(drive)).toBe(3)
  expect(drive.fake.violations).toEqual([])

  await using other = await openDrive({ fake: { policies: [{ type: 'local', chunkSize: CHUNK }] } })
  other.fake.faults.add({ ...slowed, times: 3 })
  await other.assertArrived(await other.until(await other.upload({ name: 'a.bin', content: 5 * CHUNK })))
  expect(atOnce(other)).toBe(1)
  expect(indexes(other)).toEqual([0, 1, 2, 3, 4])
})

test('before 4.18 the last chunk goes when all others have arrived', async () => {
  await using drive = await openDrive({ fake: { version: '4.17.3', policies: [local()] } })
  // The first is the last to arrive.
  drive.fake.faults.add({ ...slowed, where: { chunkIndex: 0 }, action: { kind: 'delay', ms: 600 } })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 5 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', bytesResent: 0 })
  await drive.assertArrived(record)
  expect(indexes(drive).at(-1)).toBe(4)
  const first = drive.requests('sendChunk').find(({ chunkIndex }) => chunkIndex === 0)
  const last = drive.requests('sendChunk').at(-1)
  expect(last?.time).toBeGreaterThanOrEqual(first?.endedAt ?? Infinity)
  expect(drive.fake.violations).toEqual([])
})

test('a site that takes chunks only in order after all gets them in order, from then on', async () => {
  await using drive = await openDrive({ fake: { policies: [local({ preAllocate: false })] } })
  drive.fake.faults.add({ ...slowed, where: { chunkIndex: 0 }, action: { kind: 'delay', ms: 300 } })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 8 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  await drive.assertArrived(record)
  // Only what was on its way when it turned out was sent for nothing.
  expect(record.bytesResent).toBeLessThanOrEqual(2 * CHUNK)
})

test('a lock that two chunks confirm at once is no end of the session', async () => {
  await using drive = await openDrive({ fake: { policies: [local()], spuriousConflicts: 2 } })
  drive.fake.faults.add(slowed)
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 6 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  await drive.assertArrived(record)
  expect(drive.requests('createSession')).toHaveLength(1)
})

test('row 27: a site that lost its locks is not asked for ever: the session is started over', async () => {
  await using drive = await openDrive({ fake: { policies: [local()] } })
  drive.fake.faults.add({ ...slowed, times: 8 })
  let seen = 0
  drive.fake.hooks.onRequest = ({ operation, phase }) => {
    if (operation !== 'sendChunk' || phase !== 'arrival') return
    seen += 1
    if (seen === 4) drive.fake.restart({ sessions: 'kept' })
  }
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 6 * CHUNK }))

  expect(record).toMatchObject({ state: 'completed', epoch: 2 })
  await drive.assertArrived(record)
  // In order, each attempt is one chunk.
  expect(record.bytesResent).toBeLessThanOrEqual(18 * CHUNK)
})

test.for([
  ['4.18.0', true],
  ['4.10.2', true],
  ['4.9.0', false],
  ['4.6.0', false],
] as const)('a site of version %s is spoken to as it wants', async ([version, encryption]) => {
  const policies = [local({ encryption: true })]
  await using drive = await openDrive({ fake: { version, policies } })
  await drive.fake.seedFile({ uri: 'cloudreve://my/a.bin', bytes: Buffer.from('theirs') })
  for (const name of ['a.bin', 'b.bin']) {
    const record = await drive.until(await drive.upload({ name, content: 3 * CHUNK + 5 }))
    expect(record).toMatchObject({ state: 'completed' })
    await drive.assertArrived(record)
  }
  const files = await drive.fake.files()
  expect(files.map(({ entities }) => entities.at(-1)?.encrypted)).toEqual([encryption, encryption])
  expect(drive.fake.violations).toEqual([])
})
