import { describe, expect, test } from 'vitest'
import { Blamed } from '#shared/errors.ts'
import { stageRunner } from './transport-drive.ts'
import { openTransport, traits, type Kind } from './transport-stage.ts'

const runnerFor = (kind: Kind) => stageRunner((opening) => openTransport(kind, opening), kind)

/** What every store and node may refuse a chunk with. */
export function testStoreRefusals(kind: Kind): void {
  const run = runnerFor(kind)
  const { part: operation } = traits[kind]

  describe(`${kind}: refusals of the store`, () => {
    test('a signature that has expired is the end of the session', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation: operation, action: 'expired' })
        expect(await sent.failure(sent.send(1))).toMatchObject({
          name: 'StartOver',
          class: 'session-lost',
        })
      }))

    test.each([true, false])('any other blames the chunk, by a word that is known (early: %s)', (early) =>
      run(async (stage, begin) => {
        const sent = await begin()
        const body = '<Error><Code>SignatureDoesNotMatch</Code><StringToSign>canary</StringToSign></Error>'
        const action = { kind: 'status', status: 403, body, early } as const
        stage.fake.faults.add({ operation: operation, times: 1, action })
        const error = await sent.failure(sent.send(1))
        expect(error).toBeInstanceOf(Blamed)
        expect(error).toMatchObject({ message: expect.stringContaining('403 SignatureDoesNotMatch') })
        expect(error).toMatchObject({ message: expect.not.stringContaining('canary') })
      }),
    )
  })
}

/** What is compared wherever parts have ETags. */
export function testEtags(kind: Kind): void {
  const run = runnerFor(kind)
  const { part: operation } = traits[kind]

  describe(`${kind}: ETags`, () => {
    test('are kept as they came, with the MD5 of what went out', () =>
      run(async (_, begin) => {
        const sent = await begin()
        const { md5, etag } = await sent.send(1)
        expect(etag).toBe(`"${String(md5)}"`)
      }))

    test.each(['wrong-etag', 'store-flipped'] as const)('after a %s the chunk is sent once more', (action) =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation, times: 1, action })
        await sent.send(1)
        expect(stage.count(operation)).toBe(2)
        await sent.complete(await sent.sendAll())
      }),
    )

    test('one that is wrong twice blames the chunk, and names the setting', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation, action: 'wrong-etag' })
        const error = await sent.failure(sent.send(1))
        expect(error).toBeInstanceOf(Blamed)
        expect(error).toMatchObject({ class: 'etag-mismatch', message: expect.stringContaining('etagCheck') })
        expect(stage.count(operation)).toBe(2)
      }))

    test('etagCheck opaque takes whatever it is', () =>
      run(
        async (stage, begin) => {
          const sent = await begin()
          stage.fake.faults.add({ operation, times: 1, action: 'wrong-etag' })
          expect(await sent.send(1)).toMatchObject({ etag: expect.stringContaining('0123456789abcdef') })
        },
        { settings: { etagCheck: 'opaque' } },
      ))

    test.each(['weak-etag', 'odd-etag'] as const)('a %s is good', (action) =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation, times: 1, action })
        await sent.send(1)
        expect(stage.count(operation)).toBe(1)
      }),
    )
  })
}

/** Where a store may not say why it refuses what it signed. */
export function testExpiry(kind: Kind): void {
  const run = runnerFor(kind)
  const { part: operation } = traits[kind]

  test.each([-86_400_000, 86_400_000])(
    `${kind}: a session has expired by the clock of the site, whatever ours says (%i ms off)`,
    async (skew) => {
      const now = () => Date.now() + skew
      const body = '<Error><Code>SignatureDoesNotMatch</Code></Error>'
      const action = { kind: 'status', status: 403, body } as const
      for (const [sessionLifetimeMs, name] of [
        [-5000, 'StartOver'],
        [60_000, 'Blamed'],
      ] as const) {
        await run(
          async (stage, begin) => {
            const sent = await begin()
            stage.fake.faults.add({ operation, action })
            expect(await sent.failure(sent.send(1)), name).toMatchObject({ name })
          },
          { fake: { sessionLifetimeMs }, now },
        )
      }
    },
  )
}

/** Where the answer to a part is compared with what was sent. */
export function testEarlySuccess(kind: Kind): void {
  const run = runnerFor(kind)
  // More than the buffers of a connection hold.
  const size = 16 * 1024 * 1024

  test(`${kind}: a success that comes before all was sent is none`, () =>
    run(
      async (stage, begin) => {
        const sent = await begin(size)
        const body = { etag: 'x', md5: 'x' }
        const action = { kind: 'status', status: 200, early: true, headers: { etag: '"x"' }, body } as const
        stage.fake.faults.add({ operation: traits[kind].part, times: 1, action })
        const error = await sent.failure(sent.send(1))
        expect(error).toMatchObject({ name: 'Blamed', message: expect.stringContaining('before all') })
      },
      { policy: { chunkSize: size } },
    ))
}

/** Where the list of all ETags completes the upload. */
export function testMissingEtag(kind: Kind): void {
  const run = runnerFor(kind)

  test(`${kind}: without an ETag a chunk is blamed, and the proxy that may have dropped it`, () =>
    run(async (stage, begin) => {
      const sent = await begin()
      stage.fake.faults.add({ operation: traits[kind].part, times: 1, action: 'no-etag' })
      const error = await sent.failure(sent.send(1))
      expect(error).toMatchObject({ name: 'Blamed', message: expect.stringContaining('proxy') })
    }))
}
