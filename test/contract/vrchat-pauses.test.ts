import { expect, test } from 'vitest'
import { AccountParked } from '#shared/errors.ts'
import {
  completeVersion,
  drive,
  failureOf,
  never,
  noTickets,
  randomBytes,
  sourceOf,
  type Driven,
} from './support.ts'
import { openVrchat, PART_SIZE, type VrchatStage } from './vrchat-stage.ts'

const withStage = async (work: (stage: VrchatStage) => Promise<void>): Promise<void> => {
  await using stage = await openVrchat()
  await work(stage)
  expect(stage.fake.violations).toEqual([])
}

type Operation =
  | 'createFile'
  | 'createFileVersion'
  | 'finishFileDataUpload'
  | 'deleteFile'
  | 'deleteFileVersion'

/** What gateways in front of a server that was too slow for them say: it is done, and nobody knows. */
const doneBut = (stage: VrchatStage, operation: Operation, status: number): void => {
  const action = { kind: 'status-after', status, headers: { 'retry-after': '30' } } as const
  stage.fake.faults.add({ operation, times: 1, action })
}
const refused = (stage: VrchatStage, operation: Operation, status: number): void => {
  // A 429 that names a time is one that the fake holds its client to, and no test waits so long.
  const headers = status === 429 ? {} : { 'retry-after': '30' }
  stage.fake.faults.add({ operation, times: 1, action: { kind: 'status', status, headers } })
}

const uploadTo = (
  stage: VrchatStage,
  request: unknown = stage.newRequest(),
  settings: Record<string, unknown> = {},
): Driven =>
  drive({
    provider: stage.provider,
    account: stage.accountWith({ settings }),
    source: sourceOf(randomBytes(2 * PART_SIZE, 'pauses')),
    request,
  })

const countOf = ({ fake }: VrchatStage, wanted: Operation): number =>
  fake.ledger.filter(({ operation }) => operation === wanted).length

const parkedBy = async (work: Promise<unknown>): Promise<void> => {
  const error = await failureOf(work)
  expect(error).toBeInstanceOf(AccountParked)
}

const statuses = [500, 502, 503, 504, 408] as const

test.each(statuses)('a createFile that was done and answered %i with Retry-After makes one File', (status) =>
  withStage(async (stage) => {
    const upload = uploadTo(stage)
    doneBut(stage, 'createFile', status)

    await parkedBy(upload.prepare())
    expect(upload.draft()).toHaveProperty('creatingFile')
    stage.governor.unpark()
    const version = await upload.run()

    expect((await stage.contents(version)).equals(upload.source.bytes)).toBe(true)
    expect([await stage.places(), stage.unfinished(), countOf(stage, 'createFile')]).toEqual([1, 0, 1])
  }),
)

test.each(statuses)(
  'a createFileVersion that was done and answered %i is found again, as its own',
  (status) =>
    withStage(async (stage) => {
      const fileId = stage.fake.seedFile()
      await stage.fake.seedVersion(fileId, { file: Buffer.from('old') })
      const upload = uploadTo(stage, { destination: { fileId }, partSize: PART_SIZE }, { onForeign: 'fail' })
      doneBut(stage, 'createFileVersion', status)

      await parkedBy(upload.prepare())
      expect(upload.draft()).toHaveProperty('creatingVersion')
      stage.governor.unpark()

      expect(await upload.run()).toMatchObject({ remoteId: fileId, number: 2 })
      expect([stage.unfinished(), countOf(stage, 'createFileVersion')]).toEqual([0, 1])
    }),
)

test('a 429 made nothing: the next run does not look for it', () =>
  withStage(async (stage) => {
    const upload = uploadTo(stage)
    refused(stage, 'createFile', 429)
    await parkedBy(upload.prepare())
    expect(upload.draft()).not.toHaveProperty('creatingFile')

    stage.governor.unpark()
    refused(stage, 'createFileVersion', 429)
    await parkedBy(upload.prepare())
    expect(upload.draft()).not.toHaveProperty('creatingVersion')

    stage.governor.unpark()
    expect((await upload.prepare()).note).toBeUndefined()
  }))

test('neither did a call that the parked account did not let begin', () =>
  withStage(async (stage) => {
    await stage.provider.list(stage.account, {}, never)
    const upload = uploadTo(stage)
    await parkedBy(stage.governor.call(never, () => Promise.reject(new AccountParked('429', 60_000))))

    await parkedBy(upload.prepare())

    expect(upload.draft()).not.toHaveProperty('creatingFile')
    expect(countOf(stage, 'createFile')).toBe(0)
  }))

test('a 429 does not make an earlier request forgotten whose outcome is unknown', () =>
  withStage(async (stage) => {
    const upload = uploadTo(stage)
    refused(stage, 'createFileVersion', 504)
    await parkedBy(upload.prepare())

    stage.governor.unpark()
    refused(stage, 'createFileVersion', 429)
    await parkedBy(upload.prepare())

    expect(upload.draft()).toHaveProperty('creatingVersion')
  }))

test('a finish that was done and answered 503 with Retry-After may be repeated', () =>
  withStage(async (stage) => {
    const upload = uploadTo(stage)
    const session = await upload.prepare()
    const [file, signature] = session.blobs
    if (file === undefined || signature === undefined) throw new Error('no such blobs')
    const receipts = await upload.send(session, file)
    doneBut(stage, 'finishFileDataUpload', 503)

    await parkedBy(upload.finish(session, file, receipts))
    stage.governor.unpark()
    await upload.finish(session, file, receipts)
    await upload.finish(session, signature, await upload.send(session, signature))

    expect(await completeVersion(() => upload.confirm(session))).toMatchObject({ number: 1 })
  }))

test('a deleteFile that was done and answered 503 with Retry-After may be repeated', () =>
  withStage(async (stage) => {
    const upload = uploadTo(stage)
    const { state } = await upload.prepare()
    const abort = () =>
      stage.provider.abort(stage.account, { state, stillOurs: async () => true, tickets: noTickets }, never)
    doneBut(stage, 'deleteFile', 503)

    await parkedBy(abort())
    stage.governor.unpark()

    expect(await abort()).toBeUndefined()
    expect([await stage.places(), countOf(stage, 'deleteFile')]).toEqual([0, 1])
  }))

test('a deleteFileVersion that was done and answered 503 with Retry-After is not in the way', () =>
  withStage(async (stage) => {
    const fileId = stage.fake.seedFile()
    await stage.fake.seedVersion(fileId, { status: 'waiting', file: Buffer.from('running') })
    const upload = uploadTo(stage, { destination: { fileId }, partSize: PART_SIZE }, { onForeign: 'delete' })
    doneBut(stage, 'deleteFileVersion', 503)

    await parkedBy(upload.prepare())
    stage.governor.unpark()

    expect(await upload.run()).toMatchObject({ remoteId: fileId })
    expect(countOf(stage, 'deleteFileVersion')).toBe(1)
  }))
