import { createDecipheriv } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { codeAfter, codeInstead } from '../../fakes/cloudreve/server.ts'
import {
  FILE,
  OCTETS,
  asBob,
  chunk,
  create,
  created,
  drop,
  info,
  piecewise,
  infoOf,
  signedIn,
  plainStore,
} from './cloudreve-raw.ts'

const parallel = { policies: [{ type: 'local' as const, chunkSize: 4, chunkConcurrency: 3 }] }
const inOrder = { policies: [{ type: 'local' as const, chunkSize: 4, preAllocate: false }] }

describe('a local upload', () => {
  test('has a placeholder until its last chunk, then size, time and metadata', async () => {
    const { fake, client } = await signedIn(inOrder)
    const session = await created(client, {
      last_modified: 1_749_524_701_494,
      metadata: { 'customize:note': 'hello' },
      mime_type: 'text/plain',
    })
    const before = await infoOf(client)
    const listed = await client.call(
      'GET',
      `/file?${new URLSearchParams({ uri: 'cloudreve://my/dir' }).toString()}`,
    )
    const open = fake.openSessions()

    for (const [index, text] of ['aaaa', 'bbbb', 'cc'].entries()) {
      expect((await chunk(client, session.session_id, index, text)).text).toBe('{"code":0,"msg":""}')
    }
    const after = await infoOf(client)

    expect(session).toMatchObject({ chunk_size: 4, upload_id: '', mime_type: 'text/plain', uri: FILE })
    expect(session).not.toHaveProperty('upload_urls')
    expect(session.expires).toBeGreaterThan(Date.now() / 1000 + 86_000)
    expect(session.expires).toBeLessThan(Date.now() / 1000 + 86_500)
    expect(before).toMatchObject({ size: 0, metadata: { 'sys:upload_session_id': session.session_id } })
    expect(listed.data).toMatchObject({ files: [{ name: 'a.bin', size: 0 }] })
    expect(open).toMatchObject([{ id: session.session_id, received: [] }])
    expect(after).toMatchObject({ size: 10, metadata: { 'customize:note': 'hello' } })
    expect(Date.parse(after.updated_at)).toBe(1_749_524_701_494)
    expect(after.metadata).not.toHaveProperty('sys:upload_session_id')
    expect(after.primary_entity).not.toBe(before.primary_entity)
    expect((await fake.contents(FILE)).toString()).toBe('aaaabbbbcc')
    expect(fake.openSessions()).toEqual([])
    expect(fake.violations).toEqual([])
  })

  test('has one empty chunk when the file is empty', async () => {
    const { fake, client } = await signedIn()
    const { session_id } = await created(client, { size: 0 })

    expect(await chunk(client, session_id, 0, '')).toMatchObject({ code: 0 })
    expect(await infoOf(client)).toMatchObject({ size: 0, metadata: null })
    expect(await fake.contents(FILE)).toHaveLength(0)
    expect(fake.violations).toEqual([])
  })

  test('takes chunks in any order where the file has its length from the start', async () => {
    const { fake, client } = await signedIn(parallel)
    const { session_id } = await created(client)

    await Promise.all([
      chunk(client, session_id, 2, 'cc'),
      chunk(client, session_id, 0, 'aaaa'),
      chunk(client, session_id, 1, 'bbbb'),
    ])

    expect((await fake.contents(FILE)).toString()).toBe('aaaabbbbcc')
    expect(fake.violations).toEqual([])
  })

  test('has no place for a chunk beyond the end of what is there: 50004, and a word on the order', async () => {
    const { fake, client } = await signedIn(inOrder)
    const { session_id } = await created(client)

    const early = await chunk(client, session_id, 1, 'bbbb')

    expect(early).toMatchObject({ status: 200, code: 50_004 })
    expect(fake.violations).toEqual([`sendChunk: ${session_id} chunk 1 came before chunk 0`])
    expect(await chunk(client, session_id, 0, 'aaaa')).toMatchObject({ code: 0 })
    expect(await chunk(client, session_id, 1, 'bbbb')).toMatchObject({ code: 0 })
  })

  test('counts chunks that come twice, which change nothing', async () => {
    const { fake, client } = await signedIn(inOrder)
    const { session_id } = await created(client)
    await chunk(client, session_id, 0, 'aaaa')
    await chunk(client, session_id, 0, 'aaaa')
    await chunk(client, session_id, 1, 'bbbb')

    const last = await chunk(client, session_id, 2, 'cc')
    const again = await chunk(client, session_id, 2, 'cc')

    expect([last.code, again.code]).toEqual([0, 40_011])
    expect(fake.resentAcknowledged).toBe(2)
    expect(await infoOf(client)).toMatchObject({ size: 10 })
  })

  test('more chunks at once than the policy names are told', async () => {
    const { fake, client } = await signedIn({
      policies: [{ type: 'local', chunkSize: 4, chunkConcurrency: 2 }],
    })
    const { session_id } = await created(client)
    const all = Promise.withResolvers<void>()
    let there = 0
    fake.hooks.onRequest = async ({ phase }) => {
      if (phase === 'before-reply' && (there += 1) === 3) all.resolve()
      if (phase === 'before-reply') await all.promise
    }

    await Promise.all(['aaaa', 'bbbb', 'cc'].map((text, index) => chunk(client, session_id, index, text)))

    expect(fake.violations).toEqual([`sendChunk: ${session_id} has 3 chunks under way at once, 2 allowed`])
  })
})

describe('chunks are refused', () => {
  test.each([
    ['an index that the file does not have', 3, 'dddd', 40_012],
    ['a length that is not the chunk size', 0, 'aaa', 40_013],
    ['a last chunk that is too long', 2, 'cccc', 40_013],
  ])('for %s', async (_, index, text, code) => {
    const { client } = await signedIn(parallel)
    const { session_id } = await created(client)

    expect(await chunk(client, session_id, index, text)).toMatchObject({ status: 200, code })
  })

  test('for a second one where the file is one chunk', async () => {
    const { client } = await signedIn({ policies: [{ type: 'local', chunkSize: 0 }] })
    const session = await created(client)

    expect(session.chunk_size).toBe(0)
    expect(await chunk(client, session.session_id, 1, 'x')).toMatchObject({ code: 40_012 })
    expect(await chunk(client, session.session_id, 0, 'x'.repeat(10))).toMatchObject({ code: 0 })
  })

  test('of another user, of none, of a session that ran out, or that the site never had', async () => {
    const { fake, client } = await signedIn(parallel)
    const { session_id } = await created(client)

    const stranger = await chunk(await asBob(fake), session_id, 0, 'aaaa')
    const unknown = await chunk(client, '00000000-0000-4000-8000-000000000000', 0, 'aaaa')
    await fake.expireSessions()
    const late = await chunk(client, session_id, 0, 'aaaa')

    expect([stranger.code, unknown.code, late.code]).toEqual([40_011, 40_011, 40_011])
  })

  test('after the placeholder is gone: 40016', async () => {
    const { fake, client } = await signedIn(parallel)
    const { session_id } = await created(client)
    fake.restart()
    await client.call('DELETE', '/file', { json: { uris: [FILE], skip_soft_delete: true } })

    expect(await chunk(client, session_id, 0, 'aaaa')).toMatchObject({ code: 40_016 })
  })

  test('after a restart: 40073 without data where the sessions were saved, else 40011', async () => {
    const { fake, client } = await signedIn(parallel)
    const { session_id } = await created(client)

    fake.restart()
    const kept = await chunk(client, session_id, 0, 'aaaa')
    fake.restart({ sessions: 'lost' })
    const lost = await chunk(client, session_id, 0, 'aaaa')

    expect(kept.code).toBe(40_073)
    expect(kept.text).not.toContain('"data"')
    expect(lost.code).toBe(40_011)
  })

  test('when their body is chunked and nothing tells its length; a header of its own will do', async () => {
    const { fake, client } = await signedIn(parallel)
    const { session_id } = await created(client)
    const path = `/file/upload/${session_id}/0`

    const bare = await client.call('POST', path, { body: piecewise('aa', 'aa'), headers: OCTETS })
    const told = await client.call('POST', path, {
      body: piecewise('aa', 'aa'),
      headers: { ...OCTETS, 'x-expected-entity-length': '4' },
    })

    expect([bare.code, told.code]).toEqual([40_001, 0])
    expect(fake.violations).toEqual(['sendChunk: the body was sent chunked, without its length'])
  })

  test('not for another Content-Type, which is told', async () => {
    const { fake, client } = await signedIn(parallel)
    const { session_id } = await created(client)

    const answer = await client.call('POST', `/file/upload/${session_id}/0`, {
      body: Buffer.from('aaaa'),
      headers: { 'content-type': 'application/octet-stream; charset=utf-8' },
    })

    expect(answer.code).toBe(0)
    expect(fake.violations).toEqual(['sendChunk: Content-Type application/octet-stream; charset=utf-8'])
  })

  test('for a policy whose bytes go elsewhere: 40006', async () => {
    const { client } = await signedIn({ policies: [{ type: 's3' }], stores: plainStore('s3') })
    const { session_id } = await created(client, { policy_id: 's30' })

    expect(await chunk(client, session_id, 0, 'x'.repeat(10))).toMatchObject({ code: 40_006 })
  })
})

test('a relay takes the whole file in one chunk, whatever its type and chunk size', async () => {
  const { fake, client } = await signedIn({
    policies: [{ type: 's3', relay: true, chunkSize: 4, chunkConcurrency: 4 }],
  })
  const session = await created(client, { policy_id: 's30' })

  expect(session).toMatchObject({ chunk_size: 0, storage_policy: { type: 's3', relay: true } })
  expect(session).not.toHaveProperty('upload_urls')
  expect(await chunk(client, session.session_id, 0, 'x'.repeat(10))).toMatchObject({ code: 0 })
  expect((await fake.contents(FILE)).toString()).toBe('x'.repeat(10))
  expect(fake.violations).toEqual([])
})

describe('what goes wrong at the end', () => {
  test('a completion that fails leaves the upload stuck: the chunk again answers 0, and nothing is complete', async () => {
    const { fake, client } = await signedIn({ failCompletions: 1 })
    const { session_id } = await created(client)

    const failed = await chunk(client, session_id, 0, 'x'.repeat(10))
    const again = await chunk(client, session_id, 0, 'x'.repeat(10))

    expect([failed.code, again.code]).toEqual([50_001, 0])
    expect(await infoOf(client)).toMatchObject({ size: 0, metadata: { 'sys:upload_session_id': session_id } })
    expect(fake.placeholders()).toMatchObject([{ sessionId: session_id, reserved: 10, isLive: true }])
  })

  test('without that defect the chunk again completes', async () => {
    const { client } = await signedIn({ failCompletions: 1, stuckComplete: false })
    const { session_id } = await created(client)
    await chunk(client, session_id, 0, 'x'.repeat(10))

    await chunk(client, session_id, 0, 'x'.repeat(10))

    expect(await infoOf(client)).toMatchObject({ size: 10, metadata: null })
  })

  test('before 4.18 the last index completes, whatever is missing', async () => {
    const { fake, client } = await signedIn({ ...parallel, version: '4.17.0' })
    const { session_id } = await created(client)
    await chunk(client, session_id, 0, 'aaaa')

    const last = await chunk(client, session_id, 2, 'cc')
    const late = await chunk(client, session_id, 1, 'bbbb')

    expect([last.code, late.code]).toEqual([0, 40_011])
    expect((await fake.contents(FILE)).toString()).toBe('aaaa\0\0\0\0cc')
    expect(fake.violations).toEqual([`sendChunk: ${session_id} the last chunk came before chunk 1`])
  })

  test('a spurious 40073 without data meets chunks at the same time, as often as the switch says', async () => {
    const { fake, client } = await signedIn({ ...parallel, spuriousConflicts: 1 })
    const { session_id } = await created(client)
    const gate = Promise.withResolvers<void>()
    fake.hooks.onRequest = async ({ phase, chunkIndex }) => {
      if (phase === 'before-reply' && chunkIndex === 1) gate.resolve()
      if (phase === 'before-reply' && chunkIndex === 0) await gate.promise
    }

    const first = chunk(client, session_id, 0, 'aaaa')
    await expect.poll(() => fake.openSessions()[0]?.received).toEqual([0])
    const second = await chunk(client, session_id, 1, 'bbbb')

    expect([(await first).code, second.code]).toEqual([0, 40_073])
    expect(second.text).not.toContain('"data"')
    expect(await chunk(client, session_id, 1, 'bbbb')).toMatchObject({ code: 0 })
  })

  test('faults answer envelopes, instead of the work or after it', async () => {
    const { fake, client } = await signedIn(parallel)
    fake.faults.add({
      operation: 'createSession',
      times: 1,
      action: codeInstead(50_001, 'database is locked'),
    })
    fake.faults.add({ operation: 'sendChunk', where: { chunkIndex: 1 }, times: 1, action: codeAfter(-1) })

    const refused = await create(client)
    const { session_id } = await created(client)
    await chunk(client, session_id, 0, 'aaaa')
    const lied = await chunk(client, session_id, 1, 'bbbb')

    expect(refused).toMatchObject({ status: 200, code: 50_001 })
    expect(lied.code).toBe(-1)
    expect(fake.openSessions()).toMatchObject([{ received: [0, 1] }])
    expect(fake.ledger.map(({ fault }) => fault).filter((fault) => fault !== undefined)).toEqual([
      'status',
      'status-after',
    ])
  })

  test('an answer that was lost is seen as a chunk that came again though it was taken', async () => {
    const { fake, client } = await signedIn(inOrder)
    const { session_id } = await created(client)
    fake.faults.add({ operation: 'sendChunk', times: 1, action: 'lost-reply' })

    await expect(chunk(client, session_id, 0, 'aaaa')).rejects.toThrow(/closed|ECONNRESET/)
    const again = await chunk(client, session_id, 0, 'aaaa')

    expect(again.code).toBe(0)
    expect(fake.resentAcknowledged).toBe(1)
    expect(fake.violations).toEqual([])
  })

  test('the fault `expired` is that of the session where there is one, else of the login', async () => {
    const { fake, client } = await signedIn()
    const { session_id } = await created(client)
    fake.faults.add({ operation: '*', action: 'expired' })

    expect(await chunk(client, session_id, 0, 'x'.repeat(10))).toMatchObject({ status: 200, code: 40_011 })
    expect(await info(client)).toMatchObject({ status: 200, code: 401 })
  })

  test('a proxy’s answer is a page', async () => {
    const { fake, client } = await signedIn()
    fake.faults.add({ operation: 'info', action: { kind: 'status', status: 502 } })

    expect(await info(client)).toMatchObject({
      status: 502,
      code: -999,
      text: expect.stringMatching(/^<html>/),
    })
  })

  test('SQLite is locked now and then, as 50001 and -1', async () => {
    const { client } = await signedIn({ sqliteLocked: 1 })

    expect((await create(client)).code).toBe(50_001)
    expect((await create(client)).code).toBe(-1)
  })
})

describe('encryption', () => {
  const policies = [{ type: 'local' as const, encryption: true, chunkSize: 4 }]
  const encrypt = z.object({
    encrypt_metadata: z.object({
      algorithm: z.literal('aes-256-ctr'),
      key: z.null(),
      key_plain_text: z.base64(),
      iv: z.base64(),
    }),
  })

  test('is left to clients that announce it', async () => {
    const { fake, client } = await signedIn({ policies })
    const session = await created(client, { encryption_supported: ['aes-256-ctr'] })
    const { encrypt_metadata: told } = encrypt.parse(session)
    const key = Buffer.from(told.key_plain_text, 'base64')
    const iv = Buffer.from(told.iv, 'base64')
    const cipher = createDecipheriv('aes-256-ctr', key, iv)
    const bytes = cipher.update(Buffer.from('plain text'))

    for (const index of [0, 1, 2]) {
      await chunk(client, session.session_id, index, bytes.subarray(index * 4, index * 4 + 4))
    }

    expect([key.length, iv.length]).toEqual([32, 16])
    expect((await fake.contents(FILE)).toString()).toBe('plain text')
    expect(await fake.contents(FILE, { raw: true })).toEqual(bytes)
    expect((await info(client)).data).toMatchObject({
      extended_info: { entities: [{ encrypted_with: 'aes-256-ctr' }] },
    })
  })

  test('is not done for those who do not, nor by servers before 4.10', async () => {
    const { fake, client } = await signedIn({ policies })
    const old = await signedIn({ policies, version: '4.9.0' })
    const silent = await created(client)
    const early = await created(old.client, { encryption_supported: ['aes-256-ctr'] })
    for (const [index, text] of ['plai', 'n te', 'xt'].entries()) {
      await chunk(client, silent.session_id, index, text)
    }

    expect(silent).not.toHaveProperty('encrypt_metadata')
    expect(early).not.toHaveProperty('encrypt_metadata')
    expect((await fake.contents(FILE, { raw: true })).toString()).toBe('plain text')
  })

  test('is the server’s own business on relays', async () => {
    const { fake, client } = await signedIn({ policies: [{ type: 'local', relay: true, encryption: true }] })
    const session = await created(client, { encryption_supported: ['aes-256-ctr'] })

    await chunk(client, session.session_id, 0, 'plain text')

    expect(session).not.toHaveProperty('encrypt_metadata')
    expect((await fake.contents(FILE)).toString()).toBe('plain text')
    expect((await fake.contents(FILE, { raw: true })).toString()).not.toBe('plain text')
  })
})

test('nothing is left of a session that was cancelled', async () => {
  const { fake, client } = await signedIn(parallel)
  const { session_id } = await created(client)
  await chunk(client, session_id, 0, 'aaaa')

  expect(await drop(client, session_id)).toMatchObject({ text: '{"code":0,"msg":""}' })
  expect(await info(client)).toMatchObject({ code: 40_016 })
  expect(fake.placeholders()).toEqual([])
  expect(fake.accountStats('alice@example.org').used).toBe(0)
})

test('a session that is cancelled while its last chunk comes in does not complete any more', async () => {
  const { fake, client } = await signedIn()
  const { session_id } = await created(client)
  const half = Promise.withResolvers<void>()
  async function* body() {
    yield Buffer.from('xxxxx')
    await half.promise
    yield Buffer.from('xxxxx')
  }
  const headers = { ...OCTETS, 'x-expected-entity-length': '10' }

  const last = client.call('POST', `/file/upload/${session_id}/0`, { body: body(), headers })
  await expect.poll(() => fake.ledger.at(-1)?.bytes).toBe(5)
  await drop(client, session_id)
  half.resolve()

  expect(await last).toMatchObject({ code: 40_011 })
  expect(await fake.files()).toMatchObject([{ uri: 'cloudreve://my/dir' }])
  expect(fake.accountStats('alice@example.org').used).toBe(0)
})
