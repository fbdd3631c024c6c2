import { expect, test } from 'vitest'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { HookEvent, LedgerEntry } from '../fakes/cloudreve/ledger.ts'
import { CHUNK, everyPolicy, openDrive } from '../support/cloudreve-service.ts'
import type { Drive } from '../support/cloudreve-service.ts'
import { differs } from '../support/kill/end-state.ts'
import { spawnWorker } from '../support/kill/worker-processes.ts'
import { startTestRedis } from '../support/redis.ts'
import { eventually } from '../support/service.ts'

/** All that can go on with what they were sent; relay and Upyun take a file in one request. `sealed`: encrypted. */
const resumable = [
  'local',
  'remote',
  's3',
  'ks3',
  'oss',
  'cos',
  'obs',
  'qiniu',
  'onedrive',
  'sealed',
] as const
type Resumable = (typeof resumable)[number]

const sealed = {
  type: 's3',
  folder: '/sealed',
  chunkSize: CHUNK,
  chunkConcurrency: 3,
  encryption: true,
} as const

const CHUNKS = 7
const SIZE = (CHUNKS - 1) * CHUNK + 17
/** The first chunk, from 0, that nobody acknowledges before the kill. */
const HELD = 3

const folderOf = (kind: Resumable): string => (kind === 'local' ? '' : `${kind}/`)
const uriOf = (kind: Resumable): string => `cloudreve://my/${folderOf(kind)}${kind}.bin`

const isPart = ({ operation }: { readonly operation: string }): boolean =>
  operation === 'sendChunk' || /\.(putPart|putRange|chunk)$/.test(operation)

/** Of OneDrive it has arrived, and only its answer has not: where it stands is to be asked. */
const isHeld = ({ operation, phase, chunkIndex = 0 }: HookEvent): boolean =>
  isPart({ operation }) &&
  chunkIndex >= HELD &&
  phase === (operation === 'onedrive.putRange' ? 'before-reply' : 'arrival')

/** Holds every chunk from that one on, until all that waits for it is dead. */
function holdChunks({ fake }: Drive): {
  readonly held: () => ReadonlySet<string>
  readonly release: () => void
} {
  const { promise, resolve } = Promise.withResolvers<void>()
  const held = new Set<string>()
  fake.hooks.onRequest = async (event) => {
    if (!isHeld(event)) return
    held.add(event.uri ?? '')
    await promise
  }
  return {
    held: () => held,
    release: () => {
      delete fake.hooks.onRequest
      resolve()
    },
  }
}

const partsOf = ({ fake }: Drive, kind: Resumable): LedgerEntry[] =>
  fake.ledger.filter((entry) => isPart(entry) && entry.uri === uriOf(kind))

/** What is not as it must be; one sentence each. */
async function wrongWith(drive: Drive, kind: Resumable, record: UploadRecord): Promise<string[]> {
  const file = (await drive.fake.files()).find(({ uri }) => uri === uriOf(kind))
  const sent = partsOf(drive, kind)
  const times = Array.from(
    { length: CHUNKS },
    (_, index) => sent.filter(({ chunkIndex }) => chunkIndex === index).length,
  )
  const underWay = sent.filter(({ status }) => status === 'none')
  const received = sent.reduce((sum, { bytes }) => sum + bytes, 0)
  const wrong = [
    ...differs('state and epoch', [record.state, record.epoch], ['completed', 1]),
    ...differs('bytes in the record', record.bytesSent, SIZE),
    ...differs('versions', file?.entities.length, 1),
    ...differs('times that acknowledged chunks were sent', times.slice(0, HELD), [1, 1, 1]),
    ...(underWay.length > 0 ? [] : ['nothing was under way']),
    ...differs(
      'chunks sent again',
      times.reduce((sum, count) => sum + count - 1, 0),
      underWay.length,
    ),
    ...(received <= SIZE + underWay.length * CHUNK ? [] : [`${received} bytes came of ${SIZE}`]),
    ...(received <= SIZE + record.bytesResent ? [] : [`${received} bytes came, the record has too few`]),
  ]
  return wrong.map((what) => `${kind}: ${what}`)
}

test('rows 5, 12: with everything killed, Redis included, only chunks that nobody acknowledged are sent again', async () => {
  await using redis = await startTestRedis({ aof: true })
  await using drive = await openDrive({
    redisUrl: redis.url,
    workers: 0,
    fake: { policies: [...everyPolicy, sealed] },
    env: { STEVEDORE_ALLOW_UNSAFE_REDIS: 'false' },
    limits: { maxActiveUploads: resumable.length, partsAtOnce: 64, callsAtOnce: 16 },
  })
  const chunks = holdChunks(drive)
  await using first = await spawnWorker(drive.machine.env)
  await using second = await spawnWorker(drive.machine.env)
  const uploads = new Map<Resumable, string>()
  for (const kind of resumable) {
    const to = `cloudreve://my/${folderOf(kind)}`
    uploads.set(kind, await drive.upload({ name: `${kind}.bin`, content: SIZE, to }))
  }
  await eventually(() => chunks.held().size === resumable.length, 60_000)
  for (const id of uploads.values()) await drive.until(id, ({ partsDone }) => partsDone === HELD)

  await Promise.all([first.kill(), second.kill(), redis.kill()])
  chunks.release()
  await redis.restart()
  await using _heir = await spawnWorker(drive.machine.env)

  for (const [kind, id] of uploads) {
    const record = await drive.until(id)
    expect(await wrongWith(drive, kind, record)).toEqual([])
    await drive.assertArrived(record)
  }
  const isSealed = (await drive.fake.files()).flatMap(({ entities }) =>
    entities.map(({ encrypted }) => encrypted),
  )
  expect(isSealed.filter(Boolean)).toHaveLength(1)
  expect(drive.requests('createSession')).toHaveLength(resumable.length)
  expect(drive.requests('deleteSession')).toEqual([])
  expect(drive.fake.ledger.some(({ operation }) => operation === 'onedrive.status')).toBe(true)
  expect(drive.fake.placeholders()).toEqual([])
  for (const store of drive.fake.stores) expect([store.kind, store.unfinished()]).toEqual([store.kind, 0])
  expect(drive.fake.violations).toEqual([])
})
