import { describe, expect, test } from 'vitest'
import { type RemoteOptions, createRemoteStore } from '../../../fakes/cloudreve/stores/remote.ts'
import { slaveSecret } from '../../../fakes/cloudreve/stores/remote-callback.ts'
import { checkSlaveCredential } from '../../../fakes/cloudreve/stores/signing/slave.ts'
import type { Opened } from '../../../fakes/cloudreve/stores/store.ts'
import { type Answer, KEY, type Stage, cut, send, stage } from './stage.ts'

const BYTES = Buffer.from('the quick brown fox')
const CHUNKS = cut(BYTES, 8)

async function opened(options: RemoteOptions = {}): Promise<{ slave: Stage; session: Opened }> {
  const slave = await stage((host) => createRemoteStore(host, options))
  return { slave, session: await slave.open(BYTES, 8) }
}

async function post(
  { upload_urls: [url], credential = '' }: Opened,
  index: number | string,
  { body = CHUNKS[Number(index)] ?? '', headers = {} }: Parameters<typeof send>[2] = {},
): Promise<Answer> {
  return send('POST', `${url}?chunk=${index}`, { body, headers: { authorization: credential, ...headers } })
}

const code = ({ json }: Answer): unknown => Object(json).code

test('chunks in any order, one of them twice, complete the file, and the master hears of it', async () => {
  const { slave, session } = await opened()

  const answers = [
    await post(session, 2),
    await post(session, 0),
    await post(session, 0),
    await post(session, 1),
  ]

  expect(answers.map(({ status, text }) => [status, text])).toEqual(
    answers.map(() => [200, '{"code":0,"msg":""}']),
  )
  expect(session.credential).toMatch(/^Bearer Cr [\w-]+:\d{10}$/)
  expect(await slave.store.read(KEY)).toEqual(BYTES)
  expect(slave.calls).toHaveLength(1)
  const [{ path, headers } = { path: '', headers: {} }] = slave.calls
  expect(path).toBe('/api/v4/callback/remote/session-1/secret')
  expect(checkSlaveCredential(slaveSecret, { path, headers }, Date.now())).toBe('good')
  expect(checkSlaveCredential('another', { path, headers }, Date.now())).toBe('mismatch')
  expect(slave.store.unfinished()).toBe(0)
  expect(slave.host.violations).toEqual([])
  expect(slave.host.ledger.map(({ operation, chunkIndex }) => [operation, chunkIndex])).toEqual(
    [2, 0, 0, 1].map((index) => ['remote.chunk', index]),
  )
})

test('an empty file is one empty chunk, and chunk size 0 is a single chunk', async () => {
  const slave = await stage(createRemoteStore)

  const empty = await post(await slave.open(0, 8), 0, { body: '' })
  expect(await slave.store.stat(KEY)).toBe(0)
  const whole = await post(await slave.open(BYTES, 0), 0, { body: BYTES })

  expect([empty, whole].map(code)).toEqual([0, 0])
  expect(await slave.store.stat(KEY)).toBe(BYTES.length)
})

describe('refused', () => {
  test.each([
    ['no credential', 0, { headers: { authorization: '' } }, 40071],
    ['another credential', 0, { headers: { authorization: 'Bearer Cr abc:1999999999' } }, 40071],
    ['an x-cr header, which nobody signed', 0, { headers: { 'x-cr-correlation-id': '1' } }, 40071],
    ['another content-type', 0, { headers: { 'content-type': 'text/plain' } }, 40001],
    ['an index beyond the end', 3, { body: 'x' }, 40012],
    ['no index', '', { body: 'x' }, 40013],
    ['no number', 'x', { body: 'x' }, 40012],
    ['another length', 0, { body: 'short' }, 40013],
  ] as const)('%s', async (_, index, sent, expected) => {
    const { slave, session } = await opened()

    const answer = await post(session, index, sent)

    expect([answer.status, code(answer)]).toEqual([200, expected])
    expect(slave.host.violations).not.toEqual([])
    expect(slave.host.violations.join()).not.toContain('abc')
  })

  test('a chunked body', async () => {
    const { slave, session } = await opened()
    const body = (async function* () {
      yield BYTES.subarray(0, 8)
    })()

    expect(code(await post(session, 0, { body }))).toBe(40013)
    expect(slave.host.violations).toEqual(['remote.chunk: the body was sent chunked'])
  })

  test('a credential that expired, and sessions that ended', async () => {
    const { slave, session } = await opened()
    const other = await slave.open(BYTES, 8)
    await slave.store.abort('session-2')

    const aborted = await post(other, 0)
    for (const index of [0, 1, 2]) await post(session, index)
    const after = await post(session, 2)
    slave.aheadMs = 3_700_000
    const late = await post(session, 2)

    expect([aborted, after, late].map(code)).toEqual([40011, 40011, 40005])
    expect(slave.host.violations).toEqual([])
  })

  test('another address', async () => {
    const { slave } = await opened()

    expect((await send('POST', `${slave.store.origin}/elsewhere`)).status).toBe(404)
  })
})

test('without pre-allocation a chunk can not begin beyond what is there', async () => {
  const { session } = await opened({ preAllocate: false })

  const early = await post(session, 2)
  const rest = [await post(session, 0), await post(session, 1), await post(session, 2)]

  expect([early, ...rest].map(code)).toEqual([50004, 0, 0, 0])
})

test('before 4.18 the last chunk completes, whatever is missing', async () => {
  const { slave, session } = await opened({ tracksChunks: false })

  await post(session, 0)
  const last = await post(session, 2)

  expect(code(last)).toBe(0)
  expect(await slave.store.stat(KEY)).toBe(11)
})

describe('a master that does not take the news', () => {
  test.each([
    ['refuses', { status: 200, body: '{"code":40073,"msg":""}' }],
    ['knows no such session', { status: 401, body: '{"code":401,"msg":""}' }],
    ['speaks HTML', { status: 200, body: '<html>' }],
    ['is away', undefined],
  ])('%s: the last chunk fails, and sent again completes nothing', async (_, answer) => {
    const { slave, session } = await opened()
    slave.answer = answer
    await post(session, 0)
    await post(session, 1)

    const failed = await post(session, 2)
    const again = await post(session, 2)

    expect([failed, again].map(code)).toEqual([50007, 0])
    expect(slave.calls).toHaveLength(1)
    expect(slave.store.unfinished()).toBe(1)
    await slave.store.abort('session-1')
    expect(slave.store.unfinished()).toBe(0)
    expect(await slave.store.stat(KEY)).toBeUndefined()
  })

  test('is told again where that defect is mended', async () => {
    const { slave, session } = await opened({ stuckComplete: false })
    slave.answer = undefined
    await post(session, 0)
    await post(session, 1)
    const failed = await post(session, 2)
    slave.answer = { status: 200, body: '{"code":0,"msg":""}' }

    const again = await post(session, 2)

    expect([failed, again].map(code)).toEqual([50007, 0])
    expect(slave.calls).toHaveLength(2)
    expect(slave.store.unfinished()).toBe(0)
    expect(await slave.store.read(KEY)).toEqual(BYTES)
  })
})
