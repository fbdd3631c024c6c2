import { expect, test } from 'vitest'
import { codeAfter, codeInstead } from '../../fakes/cloudreve/server.ts'
import type { FaultRule } from '../../fakes/cloudreve/server.ts'
import type { HookEvent } from '../../fakes/cloudreve/ledger.ts'
import { CHUNK, openDrive } from '../../support/cloudreve-service.ts'
import type { Drive } from '../../support/cloudreve-service.ts'
import { attemptsUsed, eventually } from '../../support/service.ts'
import { PATIENCE_MS, patiently, steady } from './patience.ts'

const SIZE = 3 * CHUNK + 17
const LAST = 3

const isPart = ({ operation }: { readonly operation: string }): boolean =>
  operation === 'sendChunk' || /\.(putPart|putRange|chunk|post)$/.test(operation)

async function assertClean(drive: Drive): Promise<void> {
  const { fake } = drive
  expect(fake.placeholders()).toEqual([])
  expect((await fake.totals()).reservedBytes).toBe(0)
  for (const store of fake.stores) expect([store.kind, store.unfinished()]).toEqual([store.kind, 0])
  expect(fake.violations).toEqual([])
}

/** Does this once, when the check holds for an event. */
function once(
  { fake }: Drive,
  isMoment: (event: HookEvent) => boolean,
  act: () => void | Promise<void>,
): void {
  let done = false
  fake.hooks.onRequest = async (event) => {
    if (done || !isMoment(event)) return
    done = true
    await act()
  }
}

const afterChunk =
  (index: number) =>
  ({ operation, chunkIndex, phase }: HookEvent): boolean =>
    phase === 'after-reply' && isPart({ operation }) && chunkIndex === index
const afterComplete = ({ operation, phase }: HookEvent): boolean =>
  phase === 'after-reply' && operation.endsWith('.complete')

const restart = (sessions: 'kept' | 'lost') => (drive: Drive) => () => drive.fake.restart({ sessions })
const add =
  (rule: FaultRule) =>
  ({ fake }: Drive): void =>
    void fake.faults.add(rule)
const at =
  (isMoment: (event: HookEvent) => boolean, act: (drive: Drive) => () => void | Promise<void>) =>
  (drive: Drive): void =>
    once(drive, isMoment, act(drive))

const rows: readonly (readonly [what: string, folder: string, plant: (drive: Drive) => void])[] = [
  ['trap 16: a restart (40073 without data) at a chunk', '', at(afterChunk(1), restart('kept'))],
  ['trap 16: a restart at the last chunk', '', at(afterChunk(LAST - 1), restart('kept'))],
  ['trap 16: a restart that loses sessions (40011) at a chunk', '', at(afterChunk(1), restart('lost'))],
  ['trap 16: a restart before the callback of S3', 's3/', at(afterComplete, restart('kept'))],
  [
    'trap 16: a restart that loses sessions, before the callback of S3',
    's3/',
    at(afterComplete, restart('lost')),
  ],
  ['trap 16: a restart before the callback of OneDrive', 'onedrive/', at(afterChunk(LAST), restart('kept'))],
  ['trap 16: a restart before a node calls', 'remote/', at(afterChunk(LAST - 1), restart('kept'))],
  [
    'trap 21: the end of the session (OneDrive)',
    'onedrive/',
    at(afterChunk(1), ({ fake }) => fake.expireSessions),
  ],
  ['trap 21: the end of the session (S3)', 's3/', at(afterChunk(1), ({ fake }) => fake.expireSessions)],
  [
    'code 40055: the object has another size',
    's3/',
    add({
      operation: 'callback',
      nth: 1,
      action: { kind: 'status', status: 400, body: { code: 40_055, msg: '' } },
    }),
  ],
  [
    'code 50007: a node that can not tell the site',
    'remote/',
    ({ fake }) => void (fake.switches.failCallbacks = 1),
  ],
  [
    'a completion that is stuck after its database was locked',
    '',
    ({ fake }) => void (fake.switches.failCompletions = 1),
  ],
]

test.concurrent.each(rows)(
  '%s: the session is made anew once, its bytes owned up to',
  { timeout: PATIENCE_MS },
  async (_, folder, plant) => {
    await using drive = await openDrive({ env: steady })
    plant(drive)
    const id = await drive.upload({ name: 'a.bin', content: SIZE, to: `cloudreve://my/${folder}` })
    const record = await patiently(drive, id)

    expect(record).toMatchObject({ state: 'completed', epoch: 2, bytesSent: SIZE })
    await drive.assertArrived(record)
    expect(drive.requests('createSession')).toHaveLength(2)
    const received = drive.fake.ledger.filter(isPart).reduce((sum, { bytes }) => sum + bytes, 0)
    expect(record.bytesResent).toBeGreaterThan(0)
    expect(received).toBeLessThanOrEqual(SIZE + record.bytesResent)
    await assertClean(drive)
  },
)

test.concurrent(
  'trap 16: a site that is restarted again and again is given up, and nothing is left',
  { timeout: PATIENCE_MS },
  async () => {
    await using drive = await openDrive({ env: steady })
    drive.fake.hooks.onRequest = ({ operation, phase }) => {
      if (operation === 'sendChunk' && phase === 'after-reply') drive.fake.restart({ sessions: 'lost' })
    }
    const record = await patiently(drive, await drive.upload({ name: 'a.bin', content: SIZE }))

    expect(record).toMatchObject({ state: 'failed', epoch: 2, error: { class: 'session-lost' } })
    expect(record.error?.message).toContain('started over for this before')
    expect(drive.requests('createSession')).toHaveLength(2)
    expect((await drive.fake.files()).filter(({ type }) => type === 'file')).toEqual([])
    await assertClean(drive)
  },
)

test.concurrent(
  'code 50007, though the node has told the site: it is done',
  { timeout: PATIENCE_MS },
  async () => {
    await using drive = await openDrive({ env: steady })
    const where = { chunkIndex: LAST }
    drive.fake.faults.add({ operation: 'remote.chunk', where, nth: 1, action: codeAfter(50_007) })
    const to = 'cloudreve://my/remote/'
    const record = await patiently(drive, await drive.upload({ name: 'a.bin', content: SIZE, to }))

    expect(record).toMatchObject({ state: 'completed', epoch: 1, bytesSent: SIZE, bytesResent: 0 })
    await drive.assertArrived(record)
    expect(await attemptsUsed(drive)).toBe(0)
    await assertClean(drive)
  },
)

test.concurrent.each(['createSession', 'sendChunk'] as const)(
  'code 50010 to %s: waits for the node to be back, and says so, without an attempt or a request more',
  { timeout: PATIENCE_MS },
  async (operation) => {
    await using drive = await openDrive({ env: steady })
    drive.fake.faults.add({ operation, nth: 1, action: codeInstead(50_010, 'Node is offline') })
    const id = await drive.upload({ name: 'a.bin', content: SIZE })
    const { uploads, parts } = drive.stores.queues
    const [job] = await eventually(async () => {
      const waiting = [...(await uploads.getDelayed()), ...(await parts.getDelayed())]
      return waiting.length > 0 && waiting
    })
    const asked = drive.requests(operation).length
    expect(job?.delay).toBeGreaterThanOrEqual(60_000)
    expect(asked).toBe(1)
    const { waitingFor = '' } = (await drive.stores.uploads.read(id)) ?? {}
    expect(waitingFor).toContain('offline')
    await job?.promote()
    const record = await patiently(drive, id)

    expect(record).toMatchObject({ state: 'completed', epoch: 1 })
    await drive.assertArrived(record)
    expect(await attemptsUsed(drive)).toBe(0)
    await assertClean(drive)
  },
)

test.concurrent(
  'trap 1: a token that ends before a chunk costs that chunk once, however long there is no other',
  { timeout: PATIENCE_MS },
  async () => {
    await using drive = await openDrive({ env: steady })
    once(drive, afterChunk(0), drive.fake.expireTokens)
    drive.fake.faults.add({ operation: 'refresh', nth: [1, 2], action: { kind: 'status', status: 503 } })
    const record = await patiently(drive, await drive.upload({ name: 'a.bin', content: SIZE }))

    expect(record).toMatchObject({ state: 'completed', epoch: 1, bytesSent: SIZE, bytesResent: CHUNK })
    await drive.assertArrived(record)
    expect(drive.requests('sendChunk')).toHaveLength(LAST + 2)
    expect(drive.requests('refresh')).toHaveLength(3)
    expect(drive.requests('login')).toHaveLength(1)
    await assertClean(drive)
  },
)

test.concurrent(
  'trap 30: many uploads to a site whose database is locked every fifth time all arrive, once each',
  { timeout: PATIENCE_MS },
  async () => {
    await using drive = await openDrive({ env: steady, fake: { sqliteLocked: 0.2, stuckComplete: false } })
    const folders = ['', 's3/', 'onedrive/', 'relay/']
    const ids = await Promise.all(
      Array.from({ length: 16 }, async (_, index) =>
        drive.upload({
          name: `${index}.bin`,
          content: index % 4 === 0 ? 0 : CHUNK + index,
          to: `cloudreve://my/${folders[Math.floor(index / 4)]}`,
        }),
      ),
    )
    for (const id of ids) {
      const record = await patiently(drive, id)
      expect(record).toMatchObject({ state: 'completed' })
      await drive.assertArrived(record)
    }
    const files = (await drive.fake.files()).filter(({ type }) => type === 'file')
    // Nothing is kept of what is empty.
    const kept = files.map(({ size, entities }) => entities.length === (size === 0 ? 0 : 1))
    expect(kept).toEqual(ids.map(() => true))
    await assertClean(drive)
  },
)
