import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { FatalError, Unreachable } from '#shared/errors.ts'
import { drive, failureOf, md5, never, randomBytes, sourceOf } from './support.ts'
import { openVrchat, PART_SIZE, type VrchatOpening, type VrchatStage } from './vrchat-stage.ts'

const withStage = async (
  work: (stage: VrchatStage) => Promise<void>,
  opening: VrchatOpening = {},
): Promise<void> => {
  await using stage = await openVrchat(opening)
  await work(stage)
  expect(stage.fake.violations).toEqual([])
}

const uploaded = async (stage: VrchatStage, bytes: Buffer) =>
  drive({
    provider: stage.provider,
    account: stage.account,
    source: sourceOf(bytes),
    request: stage.newRequest(),
  }).run()

describe('an account’s Files', () => {
  test('are listed by page and tag', () =>
    withStage(async ({ fake, provider, account }) => {
      for (const name of ['one', 'two', 'three'])
        fake.seedFile({ name, tags: name === 'two' ? ['icon'] : [] })
      const names = async (query: Parameters<typeof provider.list>[1]) =>
        (await provider.list(account, query, never)).map(({ name }) => name).toSorted()
      // Files with a tag are only shown to whoever asks for it.
      expect(await names({})).toEqual(['one', 'three'])
      expect(await names({ n: 1, offset: 1 })).toHaveLength(1)
      expect(await names({ tag: 'icon' })).toEqual(['two'])
    }))

  test('are shown with their versions, newest first, gaps and deleted ones left out', () =>
    withStage(
      async ({ fake, provider, account }) => {
        const fileId = fake.seedFile({ name: 'shown' })
        await fake.seedVersion(fileId, { file: Buffer.from('first') })
        await fake.seedVersion(fileId, { version: 4, file: Buffer.from('fourth') })
        const last = await fake.seedVersion(fileId, { file: Buffer.from('fifth') })
        await provider.remove(account, { remoteId: fileId, version: last }, never)
        const shown = await provider.show(account, fileId, never)
        expect(shown).toMatchObject({
          id: fileId,
          versions: [
            { number: 4, status: 'complete', size: 6, md5: md5(Buffer.from('fourth')) },
            { number: 1, status: 'complete', size: 5 },
          ],
        })
      },
      { fake: { deletedVersions: 'flagged' } },
    ))

  test.each(['redirect', 'direct'] as const)(
    'are downloaded by %s, without the account’s cookies',
    (downloads) =>
      withStage(
        async (stage) => {
          const bytes = randomBytes(3 * PART_SIZE, downloads)
          const { remoteId, number } = await uploaded(stage, bytes)
          const { body, size } = await stage.provider.download(
            stage.account,
            { remoteId, version: number },
            never,
          )
          expect((await buffer(body)).equals(bytes)).toBe(true)
          expect(size).toBe(bytes.length)
          const stored = stage.fake.ledger.filter(({ operation }) => operation === 'getObject')
          expect(stored.map(({ headers }) => headers.cookie)).toEqual(
            downloads === 'redirect' ? [undefined] : [],
          )
        },
        { fake: { downloads } },
      ),
  )

  test('a storage that is away is told to the governor, and one that asks for a pause parks the account', () =>
    withStage(async (stage) => {
      const { remoteId, number } = await uploaded(stage, randomBytes(PART_SIZE, 'away'))
      const download = () => stage.provider.download(stage.account, { remoteId, version: number }, never)
      const away = { kind: 'status', status: 503 } as const
      stage.fake.faults.add({ operation: 'getObject', nth: 1, action: away })
      const pause = { ...away, headers: { 'retry-after': '30' } }
      stage.fake.faults.add({ operation: 'getObject', nth: 2, action: pause })
      const before = stage.governor.seen.length

      const first = await failureOf(download())
      const second = await failureOf(download())

      expect(first).toBeInstanceOf(Unreachable)
      expect(second).toMatchObject({ name: 'AccountParked', delayMs: 30_000 })
      expect(stage.governor.seen.slice(before)).toEqual([first, second])
      expect(stage.governor.parkedUntil()).toBeGreaterThan(Date.now())
    }))

  test('a body that is none of what was asked for is told to the governor', () =>
    withStage(async (stage) => {
      const remoteId = stage.fake.seedFile()
      for (const nth of [1, 2, 3]) stage.fault('read', 'page', nth)
      const error = await failureOf(stage.provider.show(stage.account, remoteId, never))
      expect(error).toBeInstanceOf(Unreachable)
      expect(stage.governor.seen).toHaveLength(3)
      expect(stage.governor.seen).toContain(error)
    }))

  test('are removed newest version first, or whole', () =>
    withStage(async (stage) => {
      const { fake, provider, account } = stage
      const remoteId = fake.seedFile()
      await fake.seedVersion(remoteId, { file: Buffer.from('1') })
      await fake.seedVersion(remoteId, { file: Buffer.from('2') })
      const error = await failureOf(provider.remove(account, { remoteId, version: 1 }, never))
      expect(error).toBeInstanceOf(FatalError)
      expect(error).toMatchObject({ message: expect.stringContaining('which is 2 now') })
      await provider.remove(account, { remoteId, version: 2 }, never)
      await provider.remove(account, { remoteId, version: 1 }, never)
      await provider.remove(account, { remoteId }, never)
      expect(await stage.places()).toBe(0)
      expect(await failureOf(provider.remove(account, { remoteId }, never))).toBeInstanceOf(FatalError)
    }))

  test('what is not there is said so', () =>
    withStage(async ({ fake, provider, account }) => {
      const remoteId = fake.seedFile()
      await fake.seedVersion(remoteId, { status: 'waiting', file: Buffer.from('1') })
      for (const version of [0, 1, 2]) {
        expect(await failureOf(provider.download(account, { remoteId, version }, never))).toBeInstanceOf(
          FatalError,
        )
      }
    }))

  test('a 500 that hides a 409 is a refusal, not trouble', () =>
    withStage(async ({ fake, provider, account }) => {
      const remoteId = fake.seedFile()
      await fake.seedVersion(remoteId, { file: Buffer.from('1') })
      // Somebody adds one between our look and our removal.
      fake.hooks.onRequest = async ({ operation, phase }) => {
        if (operation !== 'deleteFileVersion' || phase !== 'arrival') return
        await fake.seedVersion(remoteId, { file: Buffer.from('2') })
      }
      const error = await failureOf(provider.remove(account, { remoteId, version: 1 }, never))
      expect(error).toMatchObject({ name: 'Refusal', status: 409 })
      expect(fake.violations.splice(0)).toHaveLength(1)
    }))
})

test('a whole upload speaks the older form of a File as well', () =>
  withStage(
    async (stage) => {
      const bytes = randomBytes(3 * PART_SIZE, 'legacy')
      const version = await uploaded(stage, bytes)
      expect((await stage.contents(version)).equals(bytes)).toBe(true)
    },
    { fake: { legacyFiles: true, urlStyle: 'v2', statusNextPart: 'zero', deletedVersions: 'flagged' } },
  ))

test('each of the ten operations has been called in these tests’ flows', () =>
  withStage(async (stage) => {
    const { provider, account, fake } = stage
    fake.faults.add({ operation: 'createFile', times: 1, action: 'lost-reply' })
    fake.faults.add({ operation: 'finishFileDataUpload', times: 1, action: { kind: 'status', status: 400 } })
    const upload = drive({
      provider,
      account,
      source: sourceOf(randomBytes(2 * PART_SIZE, 'ten')),
      request: stage.newRequest(),
    })
    const session = await upload.prepare()
    await failureOf(upload.sendAll(session))
    await upload.sendAll(session)
    const { remoteId, number } = await uploaded(stage, Buffer.from('x'))
    ;(await provider.download(account, { remoteId, version: number }, never)).body.destroy()
    await provider.remove(account, { remoteId, version: number }, never)
    await provider.remove(account, { remoteId }, never)
    const called = new Set<string>(fake.ledger.map(({ operation }) => operation))
    const ten = [
      ['createFile', 'getFile', 'getFiles', 'createFileVersion', 'startFileDataUpload'],
      [
        'finishFileDataUpload',
        'getFileDataUploadStatus',
        'deleteFileVersion',
        'deleteFile',
        'downloadFileVersion',
      ],
    ]
    expect(ten.flat().filter((operation) => !called.has(operation))).toEqual([])
  }))
