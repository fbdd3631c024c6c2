import { describe, expect, test } from 'vitest'
import { Blamed, FatalError, StartOver, TryLater, Unreachable } from '#shared/errors.ts'
import type { Session } from '#shared/providers/provider.ts'
import {
  completeVersion,
  drive,
  failureOf,
  never,
  noTickets,
  partOf,
  randomBytes,
  sourceOf,
  type Driven,
} from './support.ts'
import { openVrchat, PART_SIZE, type VrchatOpening, type VrchatStage } from './vrchat-stage.ts'

async function withStage(
  work: (stage: VrchatStage, start: Start) => Promise<void>,
  opening: VrchatOpening = {},
): Promise<void> {
  await using stage = await openVrchat(opening)
  await work(stage, (bytes, more = {}) =>
    drive({
      provider: stage.provider,
      account: stage.account,
      source: sourceOf(bytes),
      request: stage.newRequest(),
      ...more,
    }),
  )
  expect(stage.fake.violations).toEqual([])
}

type Start = (bytes: Buffer, more?: Partial<Parameters<typeof drive>[0]>) => Driven

const operationsOf = ({ fake }: VrchatStage): string[] => fake.ledger.map(({ operation }) => operation)
const countOf = (stage: VrchatStage, wanted: string): number =>
  operationsOf(stage).filter((operation) => operation === wanted).length
const fileIdOf = (session: Session): string => {
  const { state } = session
  if (typeof state !== 'object' || state === null || !('fileId' in state))
    throw new Error('no session of ours')
  return String(state.fileId)
}
const abort = (stage: VrchatStage, state: unknown): Promise<string | undefined> =>
  stage.provider.abort(stage.account, { state, stillOurs: async () => true, tickets: noTickets }, never)
const blobOf = (session: Session, at = 0) => {
  const blob = session.blobs[at]
  if (blob === undefined) throw new Error('no such blob')
  return blob
}

const foreign = async (stage: VrchatStage): Promise<string> => {
  const fileId = stage.fake.seedFile()
  await stage.fake.seedVersion(fileId, { file: Buffer.from('good') })
  await stage.fake.seedVersion(fileId, { status: 'waiting', file: Buffer.from('running') })
  return fileId
}
const uploadTo = (stage: VrchatStage, fileId: string, settings: Record<string, unknown>, bytes = 'mine') =>
  drive({
    provider: stage.provider,
    account: stage.accountWith({ settings }),
    source: sourceOf(Buffer.from(bytes)),
    request: { destination: { fileId } },
  })

describe('what goes over the wire', () => {
  test('multipart parts carry neither type nor MD5, simple ones both, and neither a cookie', () =>
    withStage(async (stage, start) => {
      await start(randomBytes(2 * PART_SIZE, 'headers')).run()
      const puts = stage.fake.ledger.filter(({ operation }) => operation === 'putPart')
      const headers = puts.map(({ fileType, headers }) => ({
        fileType,
        type: headers['content-type'],
        hasMd5: headers['content-md5'] !== undefined,
        chunked: headers['transfer-encoding'] !== undefined,
        account: headers.cookie ?? headers.authorization ?? headers['user-agent'],
      }))
      const bare = { type: undefined, hasMd5: false, chunked: false, account: undefined }
      const simple = { ...bare, type: 'application/x-rsync-signature', hasMd5: true }
      expect(headers).toEqual([
        { fileType: 'file', ...bare },
        { fileType: 'file', ...bare },
        { fileType: 'signature', ...simple },
      ])
    }))

  test('ETags go to finish in part order, unquoted, equal ones too; simple uploads send none', () =>
    withStage(async (stage, start) => {
      const upload = start(Buffer.alloc(3 * PART_SIZE))
      await upload.run()
      const finishes = stage.fake.ledger.filter(({ operation }) => operation === 'finishFileDataUpload')
      const etag = partOf(upload.source, { ...blobOf(await upload.prepare()), partSize: PART_SIZE }, 1).part
        .md5
      expect(finishes.map(({ etags }) => etags)).toEqual([[etag, etag, etag], undefined])
    }))

  test('the server decides about the signature apart from the file', () =>
    withStage(
      async (stage, start) => {
        const upload = start(randomBytes(40 * PART_SIZE, 'signature'), {
          request: { destination: { name: 'Signature' }, partSize: PART_SIZE },
        })
        const version = await upload.run()
        const sent = await stage.fake.bytesOf(version.remoteId, Number(version.number), 'signature')
        expect(sent.equals(upload.source.signature)).toBe(true)
      },
      { fake: { signatureMultipartThreshold: 1000, multipartThreshold: 1e9 } },
    ))

  test('row 26: an expired URL is replaced within the same session', () =>
    withStage(async (stage, start) => {
      stage.fake.faults.add({ operation: 'putPart', nth: [1, 2], action: 'expired' })
      await start(randomBytes(2 * PART_SIZE, 'expired')).run()
      expect([countOf(stage, 'putPart'), countOf(stage, 'createFileVersion')]).toEqual([5, 1])
    }))

  test('a storage that refuses for good blames the part, by its code alone', () =>
    withStage(async (stage, start) => {
      const upload = start(randomBytes(2 * PART_SIZE, 'denied'))
      const session = await upload.prepare()
      const body = '<Error><Code>BadDigest</Code><Message>canary</Message></Error>'
      stage.fake.faults.add({ operation: 'putPart', action: { kind: 'status', status: 400, body } })
      const error = await failureOf(upload.send(session, blobOf(session)))
      expect(error).toBeInstanceOf(Blamed)
      expect(error).toMatchObject({ message: 'PUT file part 1 → 400 BadDigest' })
    }))

  test.each(['odd-etag', 'wrong-etag'] as const)('etagCheck opaque takes %s', (kind) =>
    withStage(async (stage, start) => {
      const account = stage.accountWith({ settings: { etagCheck: 'opaque' } })
      const upload = start(randomBytes(10, kind), { account })
      stage.fake.faults.add({ operation: 'putPart', action: kind })
      expect(await upload.run()).toMatchObject({ number: 1 })
    }),
  )

  test.each(['strict', 'opaque'])('without any ETag a part is blamed, with etagCheck %s too', (etagCheck) =>
    withStage(async (stage, start) => {
      const upload = start(randomBytes(10, 'none'), {
        account: stage.accountWith({ settings: { etagCheck } }),
      })
      const session = await upload.prepare()
      stage.fake.faults.add({ operation: 'putPart', action: 'no-etag' })
      expect(await failureOf(upload.send(session, blobOf(session)))).toMatchObject({ class: 'etag-mismatch' })
    }),
  )

  test('a weak ETag is as good as a strong one', () =>
    withStage(async (stage, start) => {
      stage.fake.faults.add({ operation: 'putPart', action: 'weak-etag' })
      expect(await start(randomBytes(2 * PART_SIZE, 'weak')).run()).toMatchObject({ number: 1 })
      expect(countOf(stage, 'putPart')).toBe(3)
    }))

  test('the File’s own type goes with its bytes, whatever the request says now', () =>
    withStage(async (stage, start) => {
      const fileId = stage.fake.seedFile({ mimeType: 'application/x-world', extension: '.vrcw' })
      await start(Buffer.alloc(1), { request: { destination: { fileId } } }).run()
      const sent = stage.fake.ledger.find(({ operation }) => operation === 'putPart')
      expect(sent?.headers['content-type']).toBe('application/x-world')
    }))
})

describe('adoption', () => {
  test('reads that lag behind writes change nothing', () =>
    withStage(
      async (stage, start) => {
        const version = await start(randomBytes(2 * PART_SIZE, 'stale')).run()
        stage.fake.faults.add({
          operation: ['createFile', 'createFileVersion'],
          times: 2,
          action: 'lost-reply',
        })
        const other = start(randomBytes(2 * PART_SIZE, 'stale too'))
        await other.run()
        const again = start(randomBytes(PART_SIZE, 'stale again'), { request: stage.requestFor(version) })
        expect(await again.run()).toMatchObject({ number: 2 })
        expect([await stage.places(), stage.unfinished()]).toEqual([2, 0])
      },
      { fake: { staleReadMs: 90, staleNewFileStatus: 404 } },
    ))

  test.each([-900_000, 900_000])(
    'rows 22, 26: a lost createFile is found again with a clock %i ms off',
    (skew) =>
      withStage(
        async (stage, start) => {
          stage.fault('create-place', 'lost-reply')
          await start(Buffer.alloc(1)).run()
          expect(await stage.places()).toBe(1)
        },
        { now: () => Date.now() + skew },
      ),
  )

  test('of two Files that may be ours neither is taken, and the orphan is reported', () =>
    withStage(async (stage, start) => {
      const request = { destination: { name: 'Twin', extension: 'vrca' } }
      stage.fake.seedFile({ name: 'Twin', extension: '.vrca', mimeType: 'application/x-avatar' })
      stage.fault('create-place', 'lost-reply')
      const upload = start(Buffer.alloc(1), { request })
      expect(await failureOf(upload.prepare())).toBeInstanceOf(Unreachable)
      expect(await abort(stage, upload.draft())).toContain('create the File “Twin”')
      const session = await upload.prepare()
      expect(session.note).toContain('create the File “Twin”')
      expect(await stage.places()).toBe(3)
      expect(await abort(stage, upload.draft())).toBe(session.note)
      expect(await stage.places()).toBe(2)
    }))

  test('abort names a File whose creation had no answer and that does not show up', () =>
    withStage(async (stage, start) => {
      stage.fault('create-place', 'cut')
      const upload = start(Buffer.alloc(1), { request: { destination: { name: 'Gone' } } })
      expect(await failureOf(upload.prepare())).toBeInstanceOf(Unreachable)
      expect(await abort(stage, upload.draft())).toContain('create the File “Gone”')
    }))

  test('abort has nothing to say about a File that it found again and removed', () =>
    withStage(async (stage, start) => {
      stage.fault('create-place', 'lost-reply')
      for (const nth of [1, 2, 3]) stage.fault('read', 'unavailable', nth)
      const upload = start(Buffer.alloc(1))
      expect(await failureOf(upload.prepare())).toBeInstanceOf(Unreachable)
      expect(await stage.places()).toBe(1)
      expect(await abort(stage, upload.draft())).toBeUndefined()
      expect(await stage.places()).toBe(0)
    }))

  test('a lost createFileVersion on an existing File is found by its four values', () =>
    withStage(async (stage, start) => {
      const fileId = stage.fake.seedFile()
      await stage.fake.seedVersion(fileId, { file: Buffer.from('old') })
      stage.fault('create-session', 'lost-reply')
      const upload = start(randomBytes(10, 'lost'), { request: { destination: { fileId } } })
      expect(await upload.run()).toMatchObject({ number: 2 })
      expect(countOf(stage, 'createFileVersion')).toBe(1)
    }))

  test('a refused createFile announces nothing, and shows the moderated fields', () =>
    withStage(async (stage, start) => {
      const body = { error: { message: '"Name is not allowed․"', status_code: 422, fields: ['name'] } }
      stage.fake.faults.add({ operation: 'createFile', action: { kind: 'status', status: 422, body } })
      const upload = start(Buffer.alloc(1))
      const error = await failureOf(upload.prepare())
      expect(error).toBeInstanceOf(FatalError)
      expect(error).toMatchObject({ message: 'POST /file → 422 Name is not allowed. (["name"])' })
      expect(upload.draft()).not.toHaveProperty('creatingFile')
    }))

  test('a lost createFile with tags is found by them', () =>
    withStage(async (stage, start) => {
      stage.fault('create-place', 'lost-reply')
      await start(Buffer.alloc(1), { request: { destination: { name: 'Tagged', tags: ['icon'] } } }).run()
      expect(await stage.places()).toBe(1)
    }))

  test('a bound File that was deleted is replaced and bound anew', () =>
    withStage(async (_stage, start) => {
      const boundTo = 'file_00000000-0000-4000-8000-000000000000'
      const upload = start(Buffer.alloc(1), { boundTo })
      const version = await upload.run()
      expect(upload.bound()).toEqual({ key: `vrchat/${version.remoteId}`, remoteId: version.remoteId })
    }))
})

describe('versions of others', () => {
  test('a running one is left alone, then removed when it is old', () =>
    withStage(async (stage) => {
      const fileId = await foreign(stage)
      const early = uploadTo(stage, fileId, { foreignWaitMs: 60_000 })
      const error = await failureOf(early.prepare())
      expect(error).toBeInstanceOf(TryLater)
      expect(stage.unfinished()).toBe(1)
      expect(await uploadTo(stage, fileId, { foreignWaitMs: 0 }).run()).toMatchObject({ remoteId: fileId })
      expect(stage.unfinished()).toBe(0)
    }))

  test('onForeign: fail and delete do as they say', () =>
    withStage(async (stage) => {
      const fileId = await foreign(stage)
      const error = await failureOf(uploadTo(stage, fileId, { onForeign: 'fail' }).prepare())
      expect(error).toMatchObject({ name: 'FatalError', class: 'foreign-version' })
      await uploadTo(stage, fileId, { onForeign: 'delete' }).run()
    }))

  test('the same bytes do not make a stranger’s version ours', () =>
    withStage(async (stage) => {
      const fileId = stage.fake.seedFile()
      const mine = uploadTo(stage, fileId, {}, 'same')
      const { file, signature } = { file: mine.source.bytes, signature: mine.source.signature }
      await stage.fake.seedVersion(fileId, { status: 'waiting', file, signature })
      expect(await failureOf(mine.prepare())).toBeInstanceOf(TryLater)
    }))

  test('nothing is removed once the destination has another owner', () =>
    withStage(async (stage) => {
      const fileId = await foreign(stage)
      const { view } = uploadTo(stage, fileId, {})
      const account = stage.accountWith({ settings: { onForeign: 'delete' } })
      const saving = { save: async () => undefined, saveTickets: async () => undefined }
      const opening = { draft: undefined, ...saving, stillOurs: async () => false }
      const prepared = stage.provider.prepare(account, view, opening, never)
      expect(await failureOf(prepared)).toBeInstanceOf(StartOver)
      expect(stage.unfinished()).toBe(1)
    }))

  test('an errored one is removed at once', () =>
    withStage(async (stage) => {
      const fileId = stage.fake.seedFile()
      await stage.fake.seedVersion(fileId, { status: 'error', file: Buffer.from('broken') })
      expect(await uploadTo(stage, fileId, {}).run()).toMatchObject({ remoteId: fileId })
    }))

  test('abort keeps an existing File, and a created one with something else in it', () =>
    withStage(async (stage, start) => {
      const fileId = stage.fake.seedFile()
      const session = await start(Buffer.alloc(1), { request: { destination: { fileId } } }).prepare()
      await abort(stage, session.state)
      expect([await stage.places(), stage.unfinished()]).toEqual([1, 0])

      const created = await start(Buffer.alloc(1)).prepare()
      await abort(stage, { ...Object(created.state), version: 7 })
      expect([await stage.places(), stage.unfinished()]).toEqual([2, 1])
    }))
})

describe('finishing and confirming', () => {
  test('a late part of a finished blob is no error', () =>
    withStage(async (stage, start) => {
      const upload = start(randomBytes(2 * PART_SIZE, 'late'))
      const session = await upload.prepare()
      await upload.finish(session, blobOf(session), await upload.send(session, blobOf(session)))
      expect(await upload.send(session, blobOf(session))).toHaveLength(2)
      // The fake rightly holds it against us; only a late run of a killed worker does this.
      expect(stage.fake.violations.splice(0)).toHaveLength(2)
    }))

  test('finish that is refused asks for the status; another upload id starts over', () =>
    withStage(async (stage, start) => {
      const upload = start(randomBytes(2 * PART_SIZE, 'refused'))
      const session = await upload.prepare()
      const receipts = await upload.send(session, blobOf(session))
      stage.fake.faults.add({
        operation: 'finishFileDataUpload',
        times: 2,
        action: { kind: 'status', status: 400 },
      })
      expect(await failureOf(upload.finish(session, blobOf(session), receipts))).toBeInstanceOf(FatalError)
      expect(countOf(stage, 'getFileDataUploadStatus')).toBe(1)

      const body = {
        uploadId: 'another',
        fileName: 'x',
        maxParts: 1000,
        nextPartNumber: 0,
        etags: [],
        parts: [],
      }
      const action = { kind: 'status', status: 200, body } as const
      stage.fake.faults.add({ operation: 'getFileDataUploadStatus', action })
      expect(await failureOf(upload.finish(session, blobOf(session), receipts))).toBeInstanceOf(StartOver)
    }))

  test('a status that hangs does not hide why finish was refused', () =>
    withStage(async (stage, start) => {
      const upload = start(randomBytes(2 * PART_SIZE, 'hangs'))
      const session = await upload.prepare()
      const receipts = await upload.send(session, blobOf(session))
      stage.fake.faults.add({
        operation: 'finishFileDataUpload',
        times: 1,
        action: { kind: 'status', status: 400 },
      })
      stage.fake.faults.add({ operation: 'getFileDataUploadStatus', action: 'hang' })
      const error = await failureOf(upload.finish(session, blobOf(session), receipts))
      expect(error).toMatchObject({ name: 'Refusal', status: 400 })
    }))

  test('a version or File that somebody removed starts the upload over', () =>
    withStage(async (stage, start) => {
      const upload = start(randomBytes(2 * PART_SIZE, 'removed'))
      const session = await upload.prepare()
      const receipts = await upload.send(session, blobOf(session))
      await stage.provider.remove(stage.account, { remoteId: fileIdOf(session) }, never)
      const finish = failureOf(upload.finish(session, blobOf(session), receipts))
      expect(await finish).toMatchObject({ name: 'StartOver', class: 'session-lost' })
      expect(await upload.confirm(session)).toMatchObject({ kind: 'broken' })
    }))

  test('pending while the server works, broken when it found other bytes', () =>
    withStage(
      async (stage, start) => {
        const slow = start(Buffer.alloc(1))
        const session = await slow.prepare()
        await slow.sendAll(session)
        expect(await slow.confirm(session)).toMatchObject({ kind: 'pending' })
        await completeVersion(() => slow.confirm(session))

        const account = stage.accountWith({ settings: { etagCheck: 'opaque' } })
        const flipped = start(randomBytes(2 * PART_SIZE, 'flipped'), { account })
        stage.fake.faults.add({ operation: 'putPart', times: 1, action: 'store-flipped' })
        const stored = await flipped.prepare()
        await flipped.sendAll(stored)
        await expect(completeVersion(() => flipped.confirm(stored))).rejects.toThrow('status error')
      },
      { fake: { processingMs: 150 } },
    ))

  test('a newer version on top of ours is not ours to report', () =>
    withStage(async (stage, start) => {
      const upload = start(Buffer.alloc(1))
      const session = await upload.prepare()
      await upload.sendAll(session)
      await completeVersion(() => upload.confirm(session))
      await stage.fake.seedVersion(fileIdOf(session), { file: Buffer.from('newer') })
      expect(await upload.confirm(session)).toMatchObject({ kind: 'broken' })
    }))

  test('the wait for it grows with the size, within its bounds', () =>
    withStage(async ({ provider }) => {
      const MiB = 1024 * 1024
      const waits = [0, 50 * MiB, 100 * MiB, 10_000 * MiB].map(
        (size) => provider.confirmWithinMs(size, { blobs: [], state: {} }) / 1000,
      )
      expect(waits).toEqual([120, 120, 240, 600])
    }))
})
