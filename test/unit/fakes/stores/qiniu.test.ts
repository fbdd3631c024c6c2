import { describe, expect, test } from 'vitest'
import { createQiniuStore } from '../../../fakes/cloudreve/stores/qiniu.ts'
import type { Opened } from '../../../fakes/cloudreve/stores/store.ts'
import { type Answer, KEY, type Stage, cut, md5, send, stage } from './stage.ts'

const BYTES = Buffer.from('the quick brown fox')
const PARTS = cut(BYTES, 8)

async function opened(): Promise<{ qiniu: Stage; session: Opened }> {
  const qiniu = await stage(createQiniuStore)
  return { qiniu, session: await qiniu.open(BYTES, 8) }
}

const withToken = ({ credential = '' }: Opened) => ({ authorization: `UpToken ${credential}` })

function put(
  session: Opened,
  number: number | string,
  sent: Parameters<typeof send>[2] = {},
): Promise<Answer> {
  const body = PARTS[Number(number) - 1] ?? ''
  const headers = { ...withToken(session), ...sent.headers }
  return send('PUT', `${session.upload_urls[0]}/${number}`, { body, ...sent, headers })
}

async function putAll(session: Opened): Promise<unknown[]> {
  const answers = await Promise.all(PARTS.map((_, index) => put(session, index + 1)))
  return answers.map(({ json }) => Object(json).etag)
}

function finish(session: Opened, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return send('POST', session.upload_urls[0], {
    headers: { ...withToken(session), 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

const listOf = (etags: readonly unknown[]) => ({
  mimeType: 'text/plain',
  parts: etags.map((etag, index) => ({ etag, partNumber: index + 1 })),
})

test('parts in any order are joined, and whoever the token names is called back', async () => {
  const { qiniu, session } = await opened()

  const first = await put(session, 1)
  const done = await finish(session, listOf(await putAll(session)))

  expect(first).toMatchObject({ status: 200, json: { md5: md5('the quic') } })
  expect(done).toMatchObject({ status: 200, text: '{"code":0,"msg":""}' })
  expect(await qiniu.store.read(KEY)).toEqual(BYTES)
  expect(qiniu.calls.map(({ path, body }) => [path, JSON.parse(body)])).toEqual([
    ['/api/v4/callback/qiniu/session-1/secret', { name: KEY, source_name: KEY, size: 19 }],
  ])
  expect(qiniu.host.violations).toEqual([])
  expect(qiniu.host.ledger.map(({ operation }) => operation)).toEqual([
    ...Array(4).fill('qiniu.putPart'),
    'qiniu.complete',
  ])
})

describe('a part is refused with', () => {
  test.each([
    ['no token', { headers: { authorization: '' } }, 401, 'bad token'],
    ['another scheme', { headers: { authorization: 'Bearer x.y.z' } }, 401, 'bad token'],
    ['a token that was changed', { headers: { authorization: 'UpToken a:b:c' } }, 401, 'bad token'],
    ['another content-type', { headers: { 'content-type': 'text/plain' } }, 400, 'invalid content-type'],
  ])('%s', async (_, sent, status, error) => {
    const { qiniu, session } = await opened()

    const refused = await put(session, 1, sent)

    expect(refused).toMatchObject({ status, json: { error } })
    expect(qiniu.host.violations).not.toEqual([])
  })

  test('the token of another key', async () => {
    const { qiniu, session } = await opened()
    const other = await qiniu.open(BYTES, 8, { key: 'other' })

    const refused = await put({ ...session, ...(other.credential && { credential: other.credential }) }, 1)

    expect(refused.status).toBe(403)
  })

  test('an address or method that there is not, or a chunked body', async () => {
    const { qiniu, session } = await opened()
    const body = (async function* () {
      yield Buffer.from('the quic')
    })()

    const answers = [
      await put(session, 'x'),
      await send('GET', session.upload_urls[0]),
      await put(session, 1, { body }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 411])
    expect(qiniu.host.violations).toHaveLength(3)
  })

  test('a token that expired, or a session that ended', async () => {
    const { qiniu, session } = await opened()
    const other = await qiniu.open(BYTES, 8)
    await qiniu.store.abort('session-2')

    const aborted = await put(other, 1)
    qiniu.aheadMs = 3_700_000
    const late = await put(session, 1)

    expect([aborted.status, late.status]).toEqual([612, 401])
    expect(late.json).toEqual({ error: 'expired token' })
    expect(qiniu.host.violations).toEqual([])
  })
})

describe('completing is refused with', () => {
  test.each([
    ['a wrong etag', (etags: unknown[]) => listOf(['x', ...etags.slice(1)]), {}],
    ['parts out of order', (etags: unknown[]) => ({ parts: listOf(etags).parts.toReversed() }), {}],
    ['no parts', () => ({ parts: [] }), {}],
    ['no JSON', () => '<xml/>', {}],
    ['another content-type', listOf, { 'content-type': 'application/octet-stream' }],
  ])('%s', async (_, body, headers) => {
    const { qiniu, session } = await opened()
    const etags = await putAll(session)

    const refused = await finish(session, body(etags), headers)

    expect(refused.status).toBe(400)
    expect(qiniu.calls).toEqual([])
    expect(qiniu.host.violations).toHaveLength(1)
  })

  test('an object that is there already, and a session that is done', async () => {
    const { qiniu, session } = await opened()
    const list = listOf(await putAll(session))
    await finish(session, list)
    const second = await qiniu.open(BYTES, 8)

    const again = await finish(session, list)
    const exists = await finish(second, listOf(await putAll(second)))

    expect([again.status, exists.status]).toEqual([612, 614])
  })
})

test.each([{ status: 400, body: '{}' }, undefined])(
  '579 says that the callback failed (%o), and that the object is there',
  async (answer) => {
    const { qiniu, session } = await opened()
    qiniu.answer = answer

    const done = await finish(session, listOf(await putAll(session)))

    expect(done.status).toBe(579)
    expect(await qiniu.store.stat(KEY)).toBe(19)
  },
)

test('etag faults are in the JSON', async () => {
  const { qiniu, session } = await opened()
  qiniu.host.faults.add({ operation: 'qiniu.putPart', nth: 1, action: 'no-etag' })
  qiniu.host.faults.add({ operation: 'qiniu.putPart', nth: 2, action: 'wrong-etag' })

  const answers = [await put(session, 1), await put(session, 1)]

  expect(answers.map(({ json }) => json)).toEqual([
    {},
    { etag: 'F-0123456789abcdef0123456789abcdef', md5: '0123456789abcdef0123456789abcdef' },
  ])
})
