import { describe, expect, test } from 'vitest'
import { createS3Store, lateError } from '../../../fakes/cloudreve/stores/s3.ts'
import type { Opened } from '../../../fakes/cloudreve/stores/store.ts'
import { type Answer, KEY, type Stage, cut, md5, partList, send, stage } from './stage.ts'

const BYTES = Buffer.from('the quick brown fox')
const PARTS = cut(BYTES, 8)

async function putAll({ upload_urls: urls }: Opened, parts = PARTS): Promise<unknown[]> {
  const answers = await Promise.all(parts.map((body, index) => send('PUT', urls[index], { body })))
  return answers.map(({ headers }) => headers['etag'])
}

async function opened(): Promise<{ s3: Stage; session: Opened }> {
  const s3 = await stage(createS3Store)
  return { s3, session: await s3.open(BYTES, 8) }
}

function codeOf({ text }: Answer): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1]
}

test('parts in any order become the object, under an ETag of several parts', async () => {
  const { s3, session } = await opened()

  const etags = await putAll(
    { ...session, upload_urls: session.upload_urls.toReversed() },
    PARTS.toReversed(),
  )
  const done = await send('POST', session.completeURL, { body: partList(etags.toReversed()) })

  expect(etags).toEqual(PARTS.map((part) => `"${md5(part)}"`).toReversed())
  expect(done).toMatchObject({ status: 200, headers: { 'content-type': 'application/xml' } })
  expect(done.text).toMatch(/<ETag>(&quot;|")[0-9a-f]{32}-3(&quot;|")<\/ETag>/)
  expect(await s3.store.read(KEY)).toEqual(BYTES)
  expect(await s3.store.stat(KEY)).toBe(BYTES.length)
  expect(s3.store.unfinished()).toBe(0)
  expect(s3.host.violations).toEqual([])
  expect(
    s3.host.ledger.map(({ operation, chunkIndex, sessionId }) => [operation, chunkIndex, sessionId]),
  ).toEqual([
    ...[2, 1, 0].map(() => ['s3.putPart', expect.any(Number), 'session-1']),
    ['s3.complete', undefined, 'session-1'],
  ])
})

test('an empty file is one empty part, and XML may escape its quotes', async () => {
  const s3 = await stage(createS3Store)
  const session = await s3.open(0, 8)

  const [etag] = await putAll(session, [Buffer.alloc(0)])
  const done = await send('POST', session.completeURL, {
    body: partList([String(etag).replaceAll('"', '&quot;')]),
  })

  expect(session.upload_urls).toHaveLength(1)
  expect(done.status).toBe(200)
  expect(await s3.store.stat(KEY)).toBe(0)
})

test('a part may be sent again: the last one counts', async () => {
  const { s3, session } = await opened()
  await send('PUT', session.upload_urls[1], { body: 'XXXXXXXX' })

  await send('POST', session.completeURL, { body: partList(await putAll(session)) })

  expect(await s3.store.read(KEY)).toEqual(BYTES)
})

describe('the signature', () => {
  test.each([
    ['a part of another length', { body: 'short' }, {}],
    ['an unsigned x-amz header', { body: PARTS[0] ?? '', headers: { 'x-amz-meta-a': 'b' } }, {}],
    ['another part number', { body: PARTS[0] ?? '' }, { from: 'partNumber=1', to: 'partNumber=2' }],
    ['another object', { body: PARTS[0] ?? '' }, { from: 'folder', to: 'elsewhere' }],
    ['a longer life', { body: PARTS[0] ?? '' }, { from: /X-Amz-Expires=\d+/, to: 'X-Amz-Expires=9999' }],
    ['another secret', { body: PARTS[0] ?? '' }, { from: 'Signature=', to: 'Signature=0' }],
    ['something that is no path', { body: PARTS[0] ?? '' }, { from: 'folder', to: '%ff' }],
  ])(
    'is refused for %s',
    async (_, sent, { from = '', to = '' }: { from?: string | RegExp; to?: string }) => {
      const { s3, session } = await opened()

      const refused = await send('PUT', session.upload_urls[0]?.replace(from, to), sent)

      expect(codeOf(refused)).toBe('SignatureDoesNotMatch')
      expect(refused).toMatchObject({ status: 403, headers: { 'content-type': 'application/xml' } })
      expect(s3.host.violations).toEqual([expect.stringMatching(/^s3\.putPart: the request is not the one/)])
    },
  )

  test('is for one method only, and there must be one', async () => {
    const { session } = await opened()

    const got = await send('PUT', session.completeURL)
    const unsigned = await send('PUT', session.upload_urls[0]?.replace('X-Amz-Signature', 'x'), {
      body: PARTS[0] ?? '',
    })

    expect([got.status, codeOf(got)]).toEqual([403, 'SignatureDoesNotMatch'])
    expect([unsigned.status, codeOf(unsigned)]).toEqual([403, 'AccessDenied'])
  })

  test('expires, by the clock of the site and by fault, and nobody is to blame', async () => {
    const { s3, session } = await opened()
    s3.host.faults.add({ operation: 's3.putPart', nth: 1, action: 'expired' })

    const first = await send('PUT', session.upload_urls[0], { body: PARTS[0] ?? '' })
    const second = await send('PUT', session.upload_urls[0], { body: PARTS[0] ?? '' })
    s3.aheadMs = 3_700_000
    const third = await send('PUT', session.upload_urls[0], { body: PARTS[0] ?? '' })

    expect([first, second, third].map(({ status }) => status)).toEqual([403, 200, 403])
    expect([first, third].map(codeOf)).toEqual(['AccessDenied', 'AccessDenied'])
    expect(third.text).toContain('Request has expired')
    expect(s3.host.violations).toEqual([])
  })
})

describe('what has no business there', () => {
  test.each([
    ['content-type', { headers: { 'content-type': 'text/plain' } }, 400, /content-type text\/plain/],
    ['authorization', { headers: { authorization: 'Basic c2VjcmV0' } }, 400, /authorization/],
    [
      'a token of the site',
      { headers: { authorization: 'Bearer aaaa.bbbb.cccc' } },
      400,
      /token of the site/,
    ],
    ['x-cr-correlation-id', { headers: { 'x-cr-correlation-id': 'secret' } }, 200, /x-cr-correlation-id/],
    ['cookie', { headers: { cookie: 'a=secret' } }, 200, /cookie/],
  ])('is noted: %s', async (_, sent, status, problem) => {
    const { s3, session } = await opened()

    const answer = await send('PUT', session.upload_urls[0], { body: PARTS[0] ?? '', ...sent })

    expect(answer.status).toBe(status)
    expect(s3.host.violations[0]).toMatch(problem)
    expect(s3.host.violations.join()).not.toMatch(/secret|aaaa/)
  })

  test('a chunked body', async () => {
    const { s3, session } = await opened()
    const body = (async function* () {
      yield Buffer.from('the quic')
    })()

    const answer = await send('PUT', session.upload_urls[0], { body })

    expect([answer.status, codeOf(answer)]).toEqual([501, 'NotImplemented'])
    expect(s3.host.violations).toEqual(['s3.putPart: the body was sent chunked'])
  })
})

describe('completing', () => {
  test.each([
    ['a wrong ETag', (etags: unknown[]) => partList(['"0"', ...etags.slice(1)]), 'InvalidPart'],
    ['a part that never came', (etags: unknown[]) => partList([...etags, '"0"']), 'InvalidPart'],
    ['descending numbers', (etags: unknown[]) => partList(etags.toReversed(), [3, 2, 1]), 'InvalidPartOrder'],
    ['no parts', () => '<CompleteMultipartUpload></CompleteMultipartUpload>', 'MalformedXML'],
    ['undefined for an ETag', () => partList([undefined, undefined, undefined]), 'InvalidPart'],
    ['no XML', () => '{"parts":[]}', 'MalformedXML'],
    ['broken XML', (etags: unknown[]) => partList(etags).slice(0, -5), 'MalformedXML'],
  ])('is refused with %s', async (_, body, code) => {
    const { s3, session } = await opened()
    const etags = await putAll(session)

    const refused = await send('POST', session.completeURL, { body: body(etags) })

    expect([refused.status, codeOf(refused)]).toEqual([400, code])
    expect(await s3.store.stat(KEY)).toBeUndefined()
    expect(s3.store.unfinished()).toBe(1)
    expect(s3.host.violations).toHaveLength(1)
  })

  test('with some of the parts makes a smaller object, and is noted', async () => {
    const { s3, session } = await opened()
    const etags = await putAll(session)

    await send('POST', session.completeURL, { body: partList(etags.slice(0, 2)) })

    expect(await s3.store.stat(KEY)).toBe(16)
    expect(s3.host.violations).toEqual(['s3.complete: 2 of 3 parts are listed'])
  })

  test('is once only, and never after an abort', async () => {
    const { s3, session } = await opened()
    const body = partList(await putAll(session))
    await send('POST', session.completeURL, { body })
    const other = await s3.open(BYTES, 8)
    await putAll(other)
    await s3.store.abort('session-2')

    const again = await send('POST', session.completeURL, { body })
    const aborted = await send('POST', other.completeURL, { body })
    const part = await send('PUT', other.upload_urls[0], { body: PARTS[0] ?? '' })

    expect([again, aborted, part].map(({ status }) => status)).toEqual([404, 404, 404])
    expect([again, aborted, part].map(codeOf)).toEqual(['NoSuchUpload', 'NoSuchUpload', 'NoSuchUpload'])
    expect(s3.store.unfinished()).toBe(0)
  })

  test('can fail under status 200, with nothing completed', async () => {
    const { s3, session } = await opened()
    const body = partList(await putAll(session))
    s3.host.faults.add({ operation: 's3.complete', nth: 1, action: lateError })

    const late = await send('POST', session.completeURL, { body })
    const again = await send('POST', session.completeURL, { body })

    expect([late.status, codeOf(late)]).toEqual([200, 'InternalError'])
    expect([again.status, codeOf(again)]).toEqual([200, undefined])
    expect(s3.host.violations).toEqual([])
  })
})

test.each([
  ['no-etag', undefined, BYTES],
  ['weak-etag', `W/"${md5('the quic')}"`, BYTES],
  ['wrong-etag', '"0123456789abcdef0123456789abcdef"', BYTES],
  ['store-short', `"${md5('the qui')}"`, Buffer.from('the quik brown fox')],
  ['store-flipped', `"${md5('uhe quic')}"`, Buffer.from('uhe quick brown fox')],
] as const)('%s shows in the answer, and in what is kept', async (fault, shown, kept) => {
  const { s3, session } = await opened()
  s3.host.faults.add({ operation: 's3.putPart', where: { chunkIndex: 0 }, action: fault })

  const [etag, ...rest] = await putAll(session)
  const first = fault.startsWith('store') ? etag : `"${md5('the quic')}"`
  await send('POST', session.completeURL, { body: partList([first, ...rest]) })

  expect(etag).toBe(shown)
  expect(await s3.store.read(KEY)).toEqual(kept)
})

test('content that is not kept is digested all the same', async () => {
  const s3 = await stage(createS3Store, { keepContent: false })
  const session = await s3.open(BYTES, 8)

  await send('POST', session.completeURL, { body: partList(await putAll(session)) })

  expect(await s3.store.stat(KEY)).toBe(BYTES.length)
  await expect(s3.store.read(KEY)).rejects.toThrow('not kept')
})

test('an object can be removed, and reading what is not there says so', async () => {
  const { s3, session } = await opened()
  await send('POST', session.completeURL, { body: partList(await putAll(session)) })

  await s3.store.remove(KEY)

  expect(await s3.store.stat(KEY)).toBeUndefined()
  await expect(s3.store.read(KEY)).rejects.toThrow('no object')
})
