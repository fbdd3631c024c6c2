import { describe, expect, test } from 'vitest'
import { codeAfter, codeInstead } from '../fakes/cloudreve/server.ts'
import { randomBytes } from './support.ts'
import { open, type Sent } from './transport-drive.ts'
import {
  CHUNK_SIZE,
  openTransport,
  traits,
  type TransportOpening,
  type TransportStage,
} from './transport-stage.ts'

const lockOf = (application: string) => [
  { path: '/x', type: 0, owner: { application: { type: application } } },
]

describe.each(['local', 'remote'] as const)('%s: codes in place of an answer to a chunk', (kind) => {
  const { part: operation } = traits[kind]

  const run = async (
    work: (stage: TransportStage, sent: Sent) => Promise<void>,
    opening: TransportOpening = {},
  ): Promise<void> => {
    await using stage = await openTransport(kind, opening)
    await work(stage, await open(stage, randomBytes(2 * CHUNK_SIZE + 9, 'codes')))
    expect(stage.fake.violations).toEqual([])
  }

  const inOrder: TransportOpening = { policy: { chunkConcurrency: 1 } }

  test.each([
    [-1, 'Blamed'],
    [409, 'Blamed'],
    [403, 'SiteRefusal'],
    [40005, 'StartOver'],
    [40006, 'SiteRefusal'],
    [40011, 'StartOver'],
    [40012, 'SiteRefusal'],
    [40013, 'Blamed'],
    [40016, 'StartOver'],
    [40051, 'SiteRefusal'],
    [40054, 'StartOver'],
    [40071, 'SiteRefusal'],
    [40073, 'StartOver'],
    [40075, 'StartOver'],
    [50001, 'Blamed'],
    [50004, 'Blamed'],
    [50007, 'StartOver'],
    [50010, 'TryLater'],
    [59999, 'Blamed'],
  ])('%i, one after the other: %s', (code, name) =>
    run(async (stage, sent) => {
      stage.fake.faults.add({ operation, action: codeInstead(code, 'canary') })
      const error = await sent.failure(sent.send(1))
      expect(error).toMatchObject({ name, message: expect.stringContaining(`code ${String(code)}`) })
      expect(stage.count(operation)).toBe(1)
    }, inOrder),
  )

  test.each([
    [50004, 'InOrder'],
    [40073, 'InOrder'],
    [40054, 'InOrder'],
    [40011, 'StartOver'],
    [-1, 'Blamed'],
  ])('%i, while others are under way: %s', (code, name) =>
    run(async (stage, sent) => {
      stage.fake.faults.add({ operation, action: codeInstead(code) })
      expect(await sent.failure(sent.send(1))).toMatchObject({ name })
    }),
  )

  test('a lock of somebody else blames the chunk, and is no lost session', () =>
    run(async (stage, sent) => {
      stage.fake.faults.add({ operation, action: codeInstead(40073, 'Lock conflict', lockOf('dav')) })
      expect(await sent.failure(sent.send(1))).toMatchObject({ name: 'Blamed', class: 'conflict' })
    }, inOrder))

  test.each([40011, 50007])('%i after the file was completed is no failure', (code) =>
    run(async (stage, sent) => {
      stage.fake.faults.add({ operation, nth: sent.numbers.length, action: codeAfter(code) })
      await sent.complete(await sent.sendAll())
      expect(stage.count(operation)).toBe(sent.numbers.length)
    }, inOrder),
  )

  test('a last chunk whose answer is lost is not sent again when the site shows the file whole', () =>
    run(async (stage, sent) => {
      stage.fake.faults.add({ operation, nth: sent.numbers.length, action: 'lost-reply' })
      for (const number of sent.numbers) await sent.send(number)
      await sent.confirm()
      expect(stage.count(operation)).toBe(sent.numbers.length)
    }, inOrder))

  test('a wrong signature of a node is for whoever keeps the clocks', () =>
    run(async (stage, sent) => {
      stage.fake.faults.add({ operation, action: codeInstead(40071) })
      expect(await sent.failure(sent.send(1))).toMatchObject({ message: expect.stringContaining('clock') })
    }))
})

describe('local: the token', () => {
  test('an outdated one is renewed, and the chunk sent once more', async () => {
    await using stage = await openTransport('local')
    const sent = await open(stage, randomBytes(CHUNK_SIZE + 1, 'token'))
    stage.fake.expireTokens()
    const receipts = [await sent.send(1), await sent.send(2)]
    await sent.complete(receipts)
    expect([stage.count('sendChunk'), stage.count('refresh')]).toEqual([3, 1])
  })

  test('a new one does not bring a dead session back', async () => {
    await using stage = await openTransport('local')
    const sent = await open(stage, randomBytes(CHUNK_SIZE + 1, 'dead'))
    stage.fake.restart({ sessions: 'lost' })
    stage.fake.expireTokens()
    expect(await sent.failure(sent.send(1))).toMatchObject({ name: 'StartOver', class: 'session-lost' })
    expect(stage.count('sendChunk')).toBe(2)
  })

  test('early chunks of a policy that does not pre-allocate wait for the others', async () => {
    await using stage = await openTransport('local', { policy: { preAllocate: false } })
    const sent = await open(stage, randomBytes(2 * CHUNK_SIZE, 'early'))
    expect(await sent.failure(sent.send(2))).toMatchObject({ name: 'InOrder' })
    await sent.complete(await sent.sendAll())
  })
})
