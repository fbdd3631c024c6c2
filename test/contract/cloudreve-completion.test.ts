import { describe, expect, test } from 'vitest'
import { FatalError, Unreachable } from '#shared/errors.ts'
import { codeAfter, codeInstead, type FaultRule } from '../fakes/cloudreve/server.ts'
import { randomBytes } from './support.ts'
import { open, type Sent } from './transport-drive.ts'
import { CHUNK_SIZE, openTransport, type Kind, type TransportStage } from './transport-stage.ts'

async function withAllParts(
  kind: Kind,
  work: (stage: TransportStage, sent: Sent, receipts: Awaited<ReturnType<Sent['sendAll']>>) => Promise<void>,
): Promise<void> {
  await using stage = await openTransport(kind)
  const sent = await open(stage, randomBytes(2 * CHUNK_SIZE + 9, 'complete'))
  await work(stage, sent, await sent.sendAll())
  expect(stage.fake.violations).toEqual([])
}

const xml = (code: string) =>
  `<?xml version="1.0"?>\n\n<Error><Code>${code}</Code><Message>canary</Message></Error>`
type Action = FaultRule['action']
const instead = (status: number, code: string): Action => ({ kind: 'status', status, body: xml(code) })
const after = (status: number, code: string): Action => ({ kind: 'status-after', status, body: xml(code) })

const likeS3 = ['s3', 'ks3', 'cos'] as const

describe.each(likeS3)('%s: completing', (kind) => {
  const operation = `${kind}.complete` as const

  test.each([
    [200, 'InternalError', 'Unreachable'],
    [200, 'SlowDown', 'Unreachable'],
    [503, 'SlowDown', 'Unreachable'],
    [400, 'RequestTimeout', 'Unreachable'],
    [200, 'InvalidPart', 'StartOver'],
    [400, 'InvalidPartOrder', 'StartOver'],
    [400, 'EntityTooSmall', 'FatalError'],
    [400, 'MalformedXML', 'FatalError'],
    [403, 'SignatureDoesNotMatch', 'Blamed'],
  ])('a %i with %s is no success: %s', (status, code, name) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation, times: 1, action: instead(status, code) })
      const error = await sent.failure(sent.finish(receipts))
      expect(error).toMatchObject({ name, message: expect.stringContaining(code) })
      expect(error).toMatchObject({ message: expect.not.stringContaining('canary') })
      expect(stage.count('callback')).toBe(0)
      await sent.complete(receipts)
    }),
  )

  test.each([
    [200, 'InternalError'],
    [500, 'InternalError'],
    [404, 'NoSuchUpload'],
  ])('a %i with %s after it was done is no failure', (status, code) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation, times: 1, action: after(status, code) })
      await sent.complete(receipts)
    }),
  )

  test('a success without the store’s own XML is none', () =>
    withAllParts(kind, async (stage, sent, receipts) => {
      const action = { kind: 'status', status: 200, body: '{"ok":true}' } as const
      stage.fake.faults.add({ operation, times: 1, action })
      expect(await sent.failure(sent.finish(receipts))).toBeInstanceOf(Unreachable)
      await sent.complete(receipts)
    }))

  test('an upload that the store forgot, and no object: starts over', () =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation, action: instead(404, 'NoSuchUpload') })
      expect(await sent.failure(sent.finish(receipts))).toMatchObject({
        name: 'StartOver',
        class: 'session-lost',
      })
    }))
})

describe.each([...likeS3, 'onedrive'] as const)('%s: telling the site', (kind) => {
  test.each([
    [401, 'StartOver'],
    [40011, 'StartOver'],
    [40016, 'StartOver'],
    [40055, 'StartOver'],
    [40073, 'StartOver'],
    [403, 'SiteRefusal'],
    [50001, 'Blamed'],
  ])('code %i: %s', (code, name) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: 'callback', action: codeInstead(code) })
      expect(await sent.failure(sent.finish(receipts))).toMatchObject({ name })
    }),
  )

  test.each([-1, 50001, 50011])('code %i is tried again at once, with growing pauses', (code) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: 'callback', times: 2, action: codeInstead(code) })
      await sent.finish(receipts)
      expect(stage.count('callback')).toBe(3)
      await sent.confirm()
    }),
  )

  test('answers that are lost, all of them, are settled by what the site shows', () =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: 'callback', times: 3, action: 'lost-reply' })
      await sent.finish(receipts)
      await sent.confirm()
    }))

  test.each([-1, 40011, 40073])('code %i after it was done is no failure', (code) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: 'callback', times: 1, action: codeAfter(code) })
      await sent.finish(receipts)
      await sent.confirm()
    }),
  )
})

test.each([...likeS3, 'obs', 'qiniu'] as const)('%s: a list of parts with a hole is never sent', (kind) =>
  withAllParts(kind, async (stage, sent, receipts) => {
    const error = await sent.failure(sent.finish([{}, ...receipts.slice(1)]))
    expect(error).toMatchObject({ name: 'StartOver', class: 'session-lost' })
    expect(stage.count(`${kind}.complete`)).toBe(0)
  }),
)

describe('oss and qiniu tell the site by themselves', () => {
  test.each([
    ['oss', 203, { kind: 'status-after', status: 203, body: xml('CallbackFailed') }],
    ['qiniu', 579, { kind: 'status-after', status: 579, body: '{"error":"canary"}' }],
  ] as const)('%s: %i is settled by what the site shows', (kind, status, action) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: `${kind}.complete`, times: 1, action })
      await sent.finish(receipts)
      expect(stage.fake.ledger.map((entry) => entry.status)).toContain(status)
      await sent.confirm()
    }),
  )

  test.each([
    ['oss', { kind: 'status', status: 203, body: xml('CallbackFailed') }],
    ['qiniu', { kind: 'status', status: 579, body: '{"error":"canary"}' }],
  ] as const)('%s: a site that it can not reach is a clear end', (kind, action) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: `${kind}.complete`, action })
      const error = await sent.failure(sent.finish(receipts))
      expect(error).toBeInstanceOf(FatalError)
      expect(error).toMatchObject({ message: expect.stringContaining('siteURL') })
    }),
  )

  test.each(['oss', 'qiniu'] as const)('%s: a site that refuses to hear it starts over', (kind) =>
    withAllParts(kind, async (stage, sent, receipts) => {
      stage.fake.switches.failCallbacks = 1
      expect(await sent.failure(sent.finish(receipts))).toMatchObject({ name: 'StartOver' })
    }),
  )

  test('oss: parts without ETags are completed without a list', () =>
    withAllParts('oss', async (_, sent) => {
      await sent.finish(sent.numbers.map(() => ({})))
      await sent.confirm()
    }))
})

describe('obs tells the site by itself, and we do when that was in vain', () => {
  test('then the callback is called once, and the file looked at again', () =>
    withAllParts('obs', async (stage, sent, receipts) => {
      stage.fake.switches.failCallbacks = 1
      await sent.finish(receipts)
      expect(stage.count('callback')).toBe(2)
      await sent.confirm()
    }))

  test('what the site shows whole is told to nobody', () =>
    withAllParts('obs', async (stage, sent, receipts) => {
      await sent.finish(receipts)
      expect(stage.count('callback')).toBe(1)
    }))

  test('an object that may not be there is never announced', () =>
    withAllParts('obs', async (stage, sent, receipts) => {
      stage.fake.faults.add({ operation: 'obs.complete', times: 1, action: 'reset-on-arrival' })
      stage.fake.faults.add({ operation: 'obs.complete', times: 1, action: instead(404, 'NoSuchUpload') })
      expect(await sent.failure(sent.finish(receipts))).toBeInstanceOf(Unreachable)
      expect(await sent.failure(sent.finish(receipts))).toMatchObject({ name: 'StartOver' })
      expect(stage.count('callback')).toBe(0)
    }))
})
