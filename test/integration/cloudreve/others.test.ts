import { utimes } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createCloudreve } from '#shared/providers/cloudreve/index.ts'
import { findLostSession } from '#shared/providers/cloudreve/opening/placeholder.ts'
import type { Provider } from '#shared/providers/provider.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { codeInstead } from '../../fakes/cloudreve/faults.ts'
import type { Operation } from '../../fakes/cloudreve/server.ts'
import { CHUNK, openDrive, type Drive } from '../../support/cloudreve-service.ts'
import { beginElsewhere } from '../../support/cloudreve-stranger.ts'
import { eventually } from '../../support/service.ts'

const PLACE = 'cloudreve://my/a.bin'

/** Another client began an upload, and the site forgot it when it was restarted. */
async function leaveDead(drive: Drive, type: '' | 'version' = ''): Promise<void> {
  await beginElsewhere(drive, type)
  drive.fake.restart({ sessions: 'lost' })
}

const seed = async (drive: Drive, text: string, uri = PLACE): Promise<string> =>
  drive.fake.seedFile({ uri, bytes: Buffer.from(text) })

const text = async (drive: Drive): Promise<string> => (await drive.fake.contents(PLACE)).toString()

const files = async (drive: Drive) => (await drive.fake.files()).filter(({ type }) => type === 'file')

/** Does something once, when the site gets the first such request. */
function once(drive: Drive, wanted: Operation, work: () => Promise<unknown>, phase = 'arrival'): void {
  let done = false
  drive.fake.hooks.onRequest = async (event) => {
    if (done || event.operation !== wanted || event.phase !== phase) return
    done = true
    await work()
  }
}

const ended = async (
  drive: Drive,
  content: number | undefined,
  destination: Readonly<Record<string, unknown>> = {},
): Promise<UploadRecord> =>
  drive.until(await drive.upload({ name: 'a.bin', destination, ...(content !== undefined && { content }) }))

test.for([
  ['fail', 'failed'],
  ['skip', 'skipped'],
])('%s holds for a file that a dead upload of a version left its mark on', async ([onConflict, state]) => {
  await using drive = await openDrive()
  await seed(drive, 'theirs')
  await leaveDead(drive, 'version')
  expect(await ended(drive, 10, { onConflict })).toMatchObject({ state })
  expect(await text(drive)).toBe('theirs')
})

test('a file that comes in the place of a placeholder while ours is being opened follows onConflict', async () => {
  await using drive = await openDrive()
  await leaveDead(drive)
  once(drive, 'createSession', async () => seed(drive, 'newer'))
  expect(await ended(drive, 10, { onConflict: 'fail' })).toMatchObject({
    state: 'failed',
    error: { class: 'conflict' },
  })
  expect(await text(drive)).toBe('newer')
})

test('so does content that an empty file gets meanwhile: it is not overwritten', async () => {
  await using drive = await openDrive()
  await ended(drive, 0)
  once(drive, 'createSession', async () => seed(drive, 'newer'))
  const record = await ended(drive, 10)
  expect(record).toMatchObject({ state: 'failed', error: { class: 'conflict' } })
  expect(record.error?.message).toContain('40076')
  expect(await text(drive)).toBe('newer')
})

test('an empty file takes a dead placeholder over, and waits for what is locked', async () => {
  await using drive = await openDrive()
  await leaveDead(drive)
  expect(await ended(drive, 0)).toMatchObject({ state: 'completed', epoch: 1 })
  expect(drive.fake.placeholders()).toEqual([])

  await seed(drive, 'theirs')
  await beginElsewhere(drive, 'version')
  const id = await drive.upload({ name: 'a.bin', content: 0 })
  const waiting = await drive.until(id, ({ waitingFor }) => waitingFor !== undefined)
  expect(waiting).toMatchObject({ state: 'transferring' })
  expect(waiting.waitingFor).toContain('40073')
})

test('what took another name before is not unchanged at the name that it is to have now', async () => {
  await using drive = await openDrive()
  await seed(drive, 'theirs')
  const renamed = await ended(drive, 10, { onConflict: 'rename' })
  expect(renamed.version?.remoteId).toBe('cloudreve://my/a%20(1).bin')
  const record = await ended(drive, undefined)
  expect(record).toMatchObject({ state: 'completed', version: { remoteId: PLACE } })
  await drive.assertArrived(record)
})

test('an upload is complete though somebody begins the next version before it is confirmed', async () => {
  await using drive = await openDrive()
  once(
    drive,
    'sendChunk',
    async () => once(drive, 'info', async () => beginElsewhere(drive, 'version')),
    'before-reply',
  )
  expect(await ended(drive, 10)).toMatchObject({ state: 'completed', epoch: 1 })
  expect(drive.fake.placeholders()).toHaveLength(1)
})

test.for(['rename', 'fail', 'skip'])(
  '%s: a source that changes when its last chunk has arrived is not sent twice',
  async (onConflict) => {
    await using drive = await openDrive()
    const touch = async (): Promise<void> => utimes(`${drive.machine.folder}/a.bin`, 1, 1)
    once(drive, 'sendChunk', touch, 'before-reply')
    const record = await ended(drive, 10, { onConflict })
    expect(record).toMatchObject({ state: 'completed', epoch: 1, version: { remoteId: PLACE } })
    expect(await files(drive)).toHaveLength(1)
  },
)

test('a placeholder that came long after the request whose answer was lost is not ours', async () => {
  const since = Date.now()
  const madeAfter = async (ms: number): Promise<string | undefined> => {
    const view = {
      type: 0,
      id: 'x',
      name: 'a.bin',
      created_at: new Date(since + ms).toISOString(),
      metadata: { 'sys:upload_session_id': 'theirs' },
    }
    const answer = async <T>(_: unknown, data: z.ZodType<T>): Promise<T> => data.parse(view)
    const more = { baseUrl: '', tokenId: () => undefined, version: async () => '4.18.0' }
    return findLostSession({ api: Object.assign(answer, more) }, { uri: PLACE, since })
  }
  expect(await madeAfter(60_000)).toBe('theirs')
  expect(await madeAfter(3_600_000)).toBeUndefined()
})

test('a removal that the site refuses for a moment, as the place is locked, is done later', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 'sendChunk', action: codeInstead(40_051) })
  drive.fake.faults.add({ operation: 'deleteSession', action: codeInstead(40_073), times: 1 })
  expect(await ended(drive, 10)).toMatchObject({ state: 'failed' })
  expect(drive.fake.placeholders()).toEqual([])
})

test('an empty file outlives the cancelled version of it, also when the answer to the removal is lost', async () => {
  await using drive = await openDrive()
  await ended(drive, 0)
  drive.fake.faults.add({ operation: 'sendChunk', action: codeInstead(40_051) })
  drive.fake.faults.add({ operation: 'deleteSession', action: 'lost-reply', times: 1 })
  expect(await ended(drive, 10)).toMatchObject({ state: 'failed' })
  expect(await files(drive)).toMatchObject([{ uri: PLACE, size: 0 }])
})

test('a folder that appears is no empty file', async () => {
  await using drive = await openDrive()
  once(drive, 'createFile', async () => seed(drive, 'inside', `${PLACE}/b.bin`))
  expect(await ended(drive, 0)).toMatchObject({ state: 'failed', error: { class: 'conflict' } })
})

test('more parts than a store takes are refused before a byte is sent', async () => {
  await using drive = await openDrive()
  const policy = { id: 's3', name: 's3', type: 's3' }
  const session = { session_id: 'one', chunk_size: 1, expires: 1, storage_policy: policy, uri: PLACE }
  drive.fake.faults.add({ operation: 'createSession', action: codeInstead(0, '', session) })
  const record = await ended(drive, 10_001)
  expect(record).toMatchObject({ state: 'failed', error: { class: 'refused' } })
  expect(record.error?.message).toContain('10001 chunks')
  expect(drive.requests('deleteSession')).toHaveLength(1)
})

test('a host whose clock is a day ahead does not take a running upload for an old one', async () => {
  let ahead = 0
  await using drive = await openDrive({ provider: { now: () => Date.now() + ahead } })
  await beginElsewhere(drive)
  const id = await drive.upload({ name: 'a.bin', content: 10 })
  await drive.until(id, ({ waitingFor }) => waitingFor !== undefined)
  const { uploads } = drive.stores.queues
  const delayed = async () => (await uploads.getDelayed())[0]
  const asked = drive.requests('createSession').length

  ahead = 25 * 3_600_000
  await (await eventually(delayed)).promote()
  await eventually(
    async () => drive.requests('createSession').length > asked && (await delayed()) !== undefined,
  )
  expect(drive.requests('deleteSession')).toEqual([])
})

const isSettled = ({ state, waitingFor = '' }: UploadRecord): boolean =>
  state === 'completed' || waitingFor.includes('under way')

test('tickets that can not be kept lose no session', async () => {
  const real = createCloudreve({ timing: { retryMs: 20, settleMs: 20 } })
  let failed = false
  const prepare: Provider['prepare'] = async (account, upload, opening, signal) => {
    const saveTickets: typeof opening.saveTickets = async (tickets) => {
      if (failed) return opening.saveTickets(tickets)
      failed = true
      throw new Error('OOM command not allowed')
    }
    return real.prepare(account, upload, { ...opening, saveTickets }, signal)
  }
  await using drive = await openDrive({ providers: [{ ...real, prepare }] })
  const id = await drive.upload({ name: 'a.bin', content: 10, to: 'cloudreve://my/s3/' })
  expect(await drive.until(id, isSettled)).toMatchObject({ state: 'completed' })
  expect(drive.requests('createSession')).toHaveLength(2)
  await real[Symbol.asyncDispose]()
})

test('row 43: a cancel while the answer of the last chunk is under way came too late', async () => {
  await using drive = await openDrive()
  const path = await drive.machine.source('a.bin', 2 * CHUNK)
  let id = ''
  drive.fake.hooks.onRequest = async ({ operation, chunkIndex, phase }) => {
    if (operation !== 'sendChunk' || chunkIndex !== 1 || phase !== 'before-reply') return
    await drive.stores.uploads.want(id, 'cancel')
  }
  id = await drive.upload({ name: path.slice(path.lastIndexOf('/') + 1) })
  const record = await drive.until(id)
  expect(record).toMatchObject({ state: 'completed' })
  await drive.assertArrived(record)
})

test("somebody's next version, made before ours was looked at, is neither overwritten nor a reason to send again", async () => {
  await using drive = await openDrive()
  drive.fake.hooks.onRequest = async ({ operation, chunkIndex, phase }) => {
    if (operation === 'sendChunk' && chunkIndex === 1 && phase === 'after-reply') await seed(drive, 'newer')
  }
  const record = await ended(drive, 2 * CHUNK)
  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  expect(drive.requests('createSession')).toHaveLength(1)
  expect(await text(drive)).toBe('newer')
  const [file] = await files(drive)
  expect(file?.entities.map(({ id }) => id)).toContain(record.version?.number)
})

test('row 22: a creation that takes effect after we looked for it is ours all the same', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 'createSession', action: 'reset-on-arrival', times: 1 })
  let creations = 0
  drive.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'createSession' || phase !== 'arrival') return
    creations += 1
    // As the first one would have left it.
    if (creations === 2) await beginElsewhere(drive)
  }
  const record = await ended(drive, CHUNK)
  expect(record).toMatchObject({ state: 'completed' })
  await drive.assertArrived(record)
  expect(drive.fake.placeholders()).toEqual([])
})

test('an empty file has the metadata that were asked for, as others have', async () => {
  await using drive = await openDrive()
  const metadata = { 'customize:build': '42' }
  for (const content of [0, 10]) {
    const name = `${content}.bin`
    await drive.until(await drive.upload({ name, content, destination: { metadata } }))
  }
  expect((await files(drive)).map((file) => file.metadata)).toEqual([metadata, metadata])
})
