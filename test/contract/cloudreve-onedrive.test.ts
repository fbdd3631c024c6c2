import { describe, expect, test } from 'vitest'
import { request } from 'undici'
import { AccountParked, FatalError } from '#shared/errors.ts'
import { ticket } from '#shared/providers/cloudreve/session.ts'
import { stageRunner } from './transport-drive.ts'
import { openTransport, type TransportStage } from './transport-stage.ts'
import { testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { testTransport } from './transport.ts'

testTransport('onedrive')
testStoreRefusals('onedrive')
testExpiry('onedrive')

const run = stageRunner((opening) => openTransport('onedrive', opening), 'ranges')

const rangesOf = (stage: TransportStage): (string | undefined)[] =>
  stage.fake.ledger
    .filter(({ operation }) => operation === 'onedrive.putRange')
    .map(({ headers }) => headers['content-range'])

describe('onedrive: resuming', () => {
  test('a chunk that is there in part goes on at the very byte that is wanted', () =>
    run(async (stage, begin) => {
      const sent = await begin()
      const [url = ''] = await sent.upload.tickets([ticket.url(1)])
      const { bytes } = sent.upload.source
      await request(url, {
        method: 'PUT',
        headers: {
          'content-type': 'application/octet-stream',
          'content-range': `bytes 0-1023/${String(bytes.length)}`,
        },
        body: bytes.subarray(0, 1024),
      })
      await sent.complete(await sent.sendAll())
      const total = String(bytes.length)
      expect(rangesOf(stage)).toEqual([
        `bytes 0-1023/${total}`,
        `bytes 0-4095/${total}`,
        `bytes 1024-4095/${total}`,
        `bytes 4096-8191/${total}`,
        `bytes 8192-8196/${total}`,
      ])
      const version = await sent.confirm()
      expect((await stage.fake.contents(version.remoteId)).equals(bytes)).toBe(true)
    }))

  test('a lost answer is asked for at once, and nothing is sent again', () =>
    run(async (stage, begin) => {
      const sent = await begin()
      stage.fake.faults.add({ operation: 'onedrive.putRange', nth: [1, 3], action: 'lost-reply' })
      await sent.complete([await sent.send(1), await sent.send(2), await sent.send(3)])
      expect([stage.count('onedrive.putRange'), stage.count('onedrive.status')]).toEqual([3, 2])
    }))

  test('bytes that were taken and are gone start over', () =>
    run(async (stage, begin) => {
      const sent = await begin()
      await sent.send(1)
      const body = { nextExpectedRanges: ['0-'] }
      stage.fake.faults.add({ operation: 'onedrive.putRange', action: { kind: 'status', status: 416 } })
      stage.fake.faults.add({ operation: 'onedrive.status', action: { kind: 'status', status: 200, body } })
      expect(await sent.failure(sent.send(2))).toMatchObject({ name: 'StartOver', class: 'session-lost' })
    }))

  test('an upload that OneDrive forgot is looked for by the site before it starts over', () =>
    run(async (stage, begin) => {
      const sent = await begin()
      stage.fake.faults.add({ operation: 'onedrive.putRange', action: { kind: 'status', status: 404 } })
      expect(await sent.failure(sent.send(1))).toMatchObject({ name: 'StartOver', class: 'session-lost' })
      expect(stage.count('callback')).toBeGreaterThan(0)
    }))

  test.each([
    [429, { error: { code: 'activityLimitReached', retryAfterSeconds: 7 } }],
    [503, { error: { code: 'serviceNotAvailable', retryAfterSeconds: 7 } }],
  ])('a %i says in its body how long to wait', (status, body) =>
    run(async (stage, begin) => {
      const sent = await begin()
      stage.fake.faults.add({ operation: 'onedrive.putRange', action: { kind: 'status', status, body } })
      const error = await sent.failure(sent.send(1))
      expect(error).toBeInstanceOf(AccountParked)
      expect(error).toMatchObject({ delayMs: 7000 })
    }),
  )

  test.each([
    [507, 'drive is full'],
    [400, '320 KiB'],
  ])('a %i is a clear end: %s', (status, hint) =>
    run(async (stage, begin) => {
      const sent = await begin()
      stage.fake.faults.add({ operation: 'onedrive.putRange', action: { kind: 'status', status } })
      const error = await sent.failure(sent.send(1))
      expect(error).toBeInstanceOf(FatalError)
      expect(error).toMatchObject({ message: expect.stringContaining(hint) })
    }),
  )
})
