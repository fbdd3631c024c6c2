import { createDecipheriv } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { AccountParked, FatalError, StartOver, Unreachable } from '#shared/errors.ts'
import { ticket } from '#shared/providers/cloudreve/session.ts'
import type { Version } from '#shared/providers/provider.ts'
import { never } from './support.ts'
import { stageRunner, type OpenStage, type Sent } from './transport-drive.ts'
import {
  CHUNK_SIZE,
  openTransport,
  traits as traitsOf,
  type Kind,
  type TransportStage,
} from './transport-stage.ts'

/** What every transport must do, against a site and a store that check what they get. */
export function testTransport(
  kind: Kind,
  open: OpenStage = (opening) => openTransport(kind, opening),
  name: string = kind,
): void {
  const traits = traitsOf[kind]
  const contentType = kind === 'upyun' ? /^multipart\/form-data; boundary=/ : /^application\/octet-stream$/
  const partsOf = (size: number): number => (traits.single ? Math.min(size, 1) : Math.ceil(size / CHUNK_SIZE))

  const run = stageRunner(open, name)

  describe(`${name}: a whole file`, () => {
    test.each([
      ['nothing', 0],
      ['one byte', 1],
      ['a chunk less a byte', CHUNK_SIZE - 1],
      ['one chunk', CHUNK_SIZE],
      ['a chunk and a byte', CHUNK_SIZE + 1],
      ['three chunks', 3 * CHUNK_SIZE],
    ])('of %s arrives in as many requests as it has chunks', (_, size) =>
      run(async (stage, begin) => {
        const sent = await begin(size)
        await sent.complete(await sent.sendAll())
        await assertArrived(stage, sent)
        expect(stage.count(traits.part)).toBe(partsOf(size))
        for (const operation of traits.after) expect(stage.count(operation)).toBe(size === 0 ? 0 : 1)
      }),
    )

    test('goes out with its exact type and length, and nobody else’s secrets', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        await sent.complete(await sent.sendAll())

        const parts = stage.fake.ledger.filter(({ operation }) => operation === traits.part)
        for (const { headers, bytes } of parts) {
          expect(headers['content-type']).toMatch(contentType)
          expect(headers['content-length']).toBe(String(bytes))
          expect(headers['transfer-encoding']).toBeUndefined()
        }
        const atStores = stage.fake.ledger.filter(({ operation }) => operation.includes('.'))
        const own = kind === 'remote' ? /^Bearer Cr / : /^UpToken /
        for (const { headers } of atStores) {
          expect(Object.keys(headers).filter((header) => header.startsWith('x-cr-'))).toEqual([])
          expect(headers.cookie).toBeUndefined()
          expect((headers.authorization ?? '').replace(own, '')).not.toMatch(/^Bearer/)
        }
      }))

    test('may take its chunks at once or in order, as the session says', () =>
      run(async (stage, begin) => {
        const sent = await begin(3 * CHUNK_SIZE - 1)
        expect(sent.blob.parallel).toBe(traits.inOrder ? 1 : 3)
        const receipts = traits.inOrder
          ? await sent.sendAll()
          : (await Promise.all(sent.numbers.toReversed().map((number) => sent.send(number)))).toReversed()
        await sent.complete(receipts)
        await assertArrived(stage, sent)
      }))

    test('may be sent twice, chunk by chunk, and finished twice', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        await sent.sendAll()
        const receipts = await sent.sendAll()
        await sent.complete(receipts)
        await sent.complete(receipts)
        await assertArrived(stage, sent)
      }))

    test('goes on from its session as JSON, in another process', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        const [first] = await sent.sendAll()
        await using other = await open({ fake: { port: 0 } })
        const { upload, session, blob } = sent
        const finishing = { blob, tickets: upload.tickets, receipts: await sent.sendAll() }
        await other.provider.finish(stage.account, session, finishing, never)
        expect(first).toEqual(finishing.receipts[0])
        await assertArrived(stage, sent)
      }))
  })

  describe(`${name}: encryption`, () => {
    const iv = Buffer.from(`${'ff'.repeat(15)}fd`, 'hex')

    test('is done when the session asks for it, across chunk borders and a counter that wraps', () =>
      run(
        async (stage, begin) => {
          const sent = await begin()
          await sent.sendAll()
          const version = await sent.complete(await sent.sendAll())
          await assertArrived(stage, sent)

          const raw = await stage.fake.contents(version.remoteId, { raw: true })
          expect(raw.equals(sent.upload.source.bytes)).toBe(false)
          const [key] = await sent.upload.tickets([ticket.key])
          // What is relayed is for the site to encrypt.
          expect(key === undefined).toBe(kind === 'relay')
          const decrypted = key === undefined ? sent.upload.source.bytes : decrypt(raw, key, iv)
          expect(decrypted.equals(sent.upload.source.bytes)).toBe(true)
        },
        { policy: { encryption: true }, fake: { encryptionIv: iv } },
      ))
  })

  describe(`${name}: faults`, () => {
    const steps = [traits.part, ...traits.after]
    const lost = ['lost-reply', 'cut-answer', 'reset-on-arrival', 'bad-chunks'] as const
    const everywhere = steps.flatMap((step) => lost.map((kind) => [kind, step] as const))

    test.each(everywhere)('%s at %s is neither success nor failure', (action, operation) =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation, times: 1, action })
        await sent.complete(await sent.sendAll())
        await assertArrived(stage, sent)
      }),
    )

    test('a last chunk whose answer is lost is settled by what the site shows', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation: traits.part, nth: sent.numbers.length, action: 'lost-reply' })
        await sent.complete(await sent.sendAll())
        await assertArrived(stage, sent)
      }))

    test.each([
      ['a 503', { kind: 'status', status: 503 } as const],
      ['a page of a proxy', { kind: 'html', status: 502 } as const],
      ['a page of a captive portal', { kind: 'html', status: 200 } as const],
    ])('%s in place of any answer leaves it to be tried again', (_, action) =>
      run(async (stage, begin) => {
        const sent = await begin()
        for (const operation of steps) stage.fake.faults.add({ operation, times: 1, action })
        expect(await sent.failure(sent.send(1))).toBeInstanceOf(Unreachable)
        await sent.complete(await sent.sendAll())
        await assertArrived(stage, sent)
      }),
    )

    test('a connection that breaks in the middle of a chunk', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        stage.fake.faults.add({ operation: traits.part, times: 1, action: 'reset-mid-body' })
        expect(await sent.failure(sent.send(1))).toBeInstanceOf(Unreachable)
        await sent.complete(await sent.sendAll())
        await assertArrived(stage, sent)
      }))

    test('a chunk that is never answered ends, and one that a person stops ends with that reason', () =>
      run(
        async (stage, begin) => {
          const sent = await begin()
          stage.fake.faults.add({ operation: traits.part, times: 2, action: 'hang' })
          expect(await sent.failure(sent.send(1))).toBeInstanceOf(Unreachable)

          const stop = new AbortController()
          const reason = new Error('stopped by a person')
          stage.fake.hooks.onRequest = ({ phase }) => {
            if (phase === 'arrival') stop.abort(reason)
          }
          expect(await sent.failure(sent.send(1, stop.signal))).toBe(reason)
        },
        { stallMs: 300 },
      ))

    test('Retry-After stops the account for that long', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        const headers = { 'retry-after': '30' }
        stage.fake.faults.add({
          operation: traits.part,
          times: 1,
          action: { kind: 'status', status: 429, headers },
        })
        const error = await sent.failure(sent.send(1))
        expect(error).toBeInstanceOf(AccountParked)
        expect(error).toMatchObject({ delayMs: 30_000 })
      }))

    test('a body that is too large for a proxy is a clear end, though it is said early', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        const body = '<html>413 Request Entity Too Large</html>'
        const action = { kind: 'status', status: 413, body, early: true } as const
        stage.fake.faults.add({ operation: traits.part, action })
        const error = await sent.failure(sent.send(1))
        expect(error).toBeInstanceOf(FatalError)
        expect(error).toMatchObject({ message: expect.stringContaining('chunk size') })
      }))
  })

  describe(`${name}: sessions that end`, () => {
    test('expired, it starts over, and so does what was sent whole', () =>
      run(async (stage, begin) => {
        const early = await begin()
        const late = await begin()
        const receipts = traits.after.length > 0 ? await late.sendAll() : []
        await stage.fake.expireSessions()
        expect(await early.failure(early.send(1))).toMatchObject({ name: 'StartOver', class: 'session-lost' })
        if (traits.after.length === 0) return
        expect(await late.failure(late.finish(receipts))).toBeInstanceOf(StartOver)
      }))

    test('removed by somebody, it starts over', () =>
      run(async (stage, begin) => {
        const sent = await begin()
        const left = { state: sent.session.state, stillOurs: async () => true, tickets: sent.upload.tickets }
        await sent.persist(() => stage.provider.abort(stage.account, left, never))
        expect(await sent.ending()).toBe('lost')
      }))

    test('a site that lost its locks or its sessions starts it over', async () => {
      for (const sessions of ['kept', 'lost'] as const) {
        await run(
          async (stage, begin) => {
            const sent = await begin()
            stage.fake.restart({ sessions })
            expect(await sent.ending(), sessions).toBe('lost')
          },
          { policy: { chunkConcurrency: 1 } },
        )
      }
    })
  })
}

function decrypt(bytes: Buffer, key: string, iv: Buffer): Buffer {
  return createDecipheriv('aes-256-ctr', Buffer.from(key, 'base64'), iv).update(bytes)
}

/** The site shows it whole, and has nothing unfinished left. */
async function assertArrived(stage: TransportStage, { upload, confirm }: Sent): Promise<void> {
  const version = await confirm()
  expect(version.size).toBe(upload.source.bytes.length)
  const bytes = await contentsOf(stage, version)
  expect(bytes.equals(upload.source.bytes)).toBe(true)
  expect([stage.fake.placeholders(), stage.fake.openSessions()]).toEqual([[], []])
}

/** An empty file has no content to read. */
async function contentsOf(stage: TransportStage, { remoteId, size }: Version): Promise<Buffer> {
  if (size > 0) return stage.fake.contents(remoteId)
  expect(await stage.fake.files()).toContainEqual(expect.objectContaining({ uri: remoteId, size: 0 }))
  return Buffer.alloc(0)
}
