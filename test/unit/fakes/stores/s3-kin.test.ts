import { describe, expect, test } from 'vitest'
import { createCosStore } from '../../../fakes/cloudreve/stores/cos.ts'
import type { StoreHost } from '../../../fakes/cloudreve/stores/host.ts'
import { createKs3Store } from '../../../fakes/cloudreve/stores/ks3.ts'
import { createObsStore } from '../../../fakes/cloudreve/stores/obs.ts'
import { createOssStore } from '../../../fakes/cloudreve/stores/oss.ts'
import type { Opened, Store } from '../../../fakes/cloudreve/stores/store.ts'
import { type Answer, KEY, type Stage, cut, md5, partList, send, stage } from './stage.ts'

const BYTES = Buffer.from('the quick brown fox')
const PARTS = cut(BYTES, 8)

type Kin = {
  create: (host: StoreHost) => Promise<Store>
  headers: Record<string, string>
  /** What the completion is sent, given the ETags. */
  body: (etags: unknown[]) => string
  callsBack: boolean
}

const kin: Record<'ks3' | 'cos' | 'obs' | 'oss', Kin> = {
  ks3: { create: createKs3Store, headers: {}, body: partList, callsBack: false },
  cos: {
    create: createCosStore,
    headers: { 'x-cos-forbid-overwrite': 'true' },
    body: partList,
    callsBack: false,
  },
  obs: { create: createObsStore, headers: {}, body: partList, callsBack: true },
  oss: {
    create: createOssStore,
    headers: { 'x-oss-forbid-overwrite': 'true', 'x-oss-complete-all': 'yes' },
    body: () => '',
    callsBack: true,
  },
}

async function putAll({ upload_urls: urls }: Opened): Promise<unknown[]> {
  const answers = await Promise.all(PARTS.map((body, index) => send('PUT', urls[index], { body })))
  return answers.map(({ headers }) => headers['etag'])
}

function codeOf({ text, json }: Answer): unknown {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? Object(json).code
}

async function opened(name: keyof typeof kin): Promise<Kin & { store: Stage; session: Opened }> {
  const store = await stage(kin[name].create)
  return { ...kin[name], store, session: await store.open(BYTES, 8) }
}

describe.each(['ks3', 'cos', 'obs', 'oss'] as const)('%s', (name) => {
  test('takes signed parts, completes, and calls back where it is told to', async () => {
    const { store, session, headers, body, callsBack } = await opened(name)

    const etags = await putAll(session)
    const done = await send('POST', session.completeURL, { headers, body: body(etags) })

    expect(etags).toEqual(PARTS.map((part) => `"${md5(part)}"`))
    expect(done.status).toBe(200)
    expect(await store.store.read(KEY)).toEqual(BYTES)
    expect(store.calls.map(({ path }) => path)).toEqual(
      callsBack ? [`/api/v4/callback/${name}/session-1/secret`] : [],
    )
    expect(done.text).toMatch(callsBack ? /^\{"code":0/ : /<CompleteMultipartUploadResult>/)
    expect(store.host.violations).toEqual([])
    expect(store.host.ledger.map(({ operation }) => operation)).toEqual([
      ...PARTS.map(() => `${name}.putPart`),
      `${name}.complete`,
    ])
  })

  test.each([
    ['another content-type', { headers: { 'content-type': 'text/plain' } }, '', ''],
    [
      'a charset that was added',
      { headers: { 'content-type': 'application/octet-stream; charset=utf-8' } },
      '',
      '',
    ],
    ['another part number', {}, 'partNumber=1', 'partNumber=2'],
    ['another upload', {}, 'uploadId=', 'uploadId=0'],
    ['another object', {}, 'folder', 'elsewhere'],
    ['another method', { method: 'POST' }, '', ''],
    ['a signature of somebody else', {}, /(q-signature|x-oss-signature|Signature)=/, '$1=0'],
  ] as const)(
    'refuses a part with %s',
    async (
      _,
      { method = 'PUT', ...sent }: { method?: string; headers?: Record<string, string> },
      from,
      to,
    ) => {
      const { store, session } = await opened(name)

      const refused = await send(method, session.upload_urls[0]?.replace(from, to), {
        body: PARTS[0] ?? '',
        ...sent,
      })

      expect([refused.status, codeOf(refused)]).toEqual([403, 'SignatureDoesNotMatch'])
      expect(store.host.violations).toHaveLength(1)
    },
  )

  test('refuses what is unsigned, chunked, or too late', async () => {
    const { store, session } = await opened(name)
    const [url = ''] = session.upload_urls
    const body = (async function* () {
      yield Buffer.from('the quic')
    })()

    const unsigned = await send('PUT', url.replace(/(q-signature|x-oss-signature|Signature)=/, 'x='), {
      body: 'a',
    })
    const chunked = await send('PUT', url, { body })
    store.aheadMs = 3_700_000
    const late = await send('PUT', url, { body: PARTS[0] ?? '' })

    expect([unsigned, chunked, late].map(({ status }) => status)).toEqual([403, 501, 403])
    expect(codeOf(late)).toBe('AccessDenied')
    expect(late.text).toContain('expired')
  })

  test('refuses a completion that is not the one that was signed', async () => {
    const { store, session, headers, body } = await opened(name)
    const etags = await putAll(session)
    const sent = { headers: { ...headers, 'content-type': 'application/xml' }, body: body(etags) }

    const refused = await send('POST', session.completeURL, sent)

    expect([refused.status, codeOf(refused)]).toEqual([403, 'SignatureDoesNotMatch'])
    expect(store.calls).toEqual([])
    expect(store.store.unfinished()).toBe(1)
  })

  test('is done once', async () => {
    const { session, headers, body } = await opened(name)
    const sent = { headers, body: body(await putAll(session)) }
    await send('POST', session.completeURL, sent)

    const again = await send('POST', session.completeURL, sent)

    expect([again.status, codeOf(again)]).toEqual([404, 'NoSuchUpload'])
  })
})

test.each(['ks3', 'cos', 'obs'] as const)('%s: a wrong ETag is no part', async (name) => {
  const { store, session, headers } = await opened(name)
  const [, ...rest] = await putAll(session)

  const refused = await send('POST', session.completeURL, { headers, body: partList(['"0"', ...rest]) })

  expect([refused.status, codeOf(refused)]).toEqual([400, 'InvalidPart'])
  expect(store.host.violations).toHaveLength(1)
})

test.each([
  ['cos', 'x-cos-forbid-overwrite'],
  ['oss', 'x-oss-forbid-overwrite'],
  ['oss', 'x-oss-complete-all'],
] as const)('%s: a completion without %s is another request', async (name, missing) => {
  const { session, headers, body } = await opened(name)
  const etags = await putAll(session)
  const { [missing]: _, ...rest } = headers

  const refused = await send('POST', session.completeURL, { headers: rest, body: body(etags) })

  expect([refused.status, codeOf(refused)]).toEqual([403, 'SignatureDoesNotMatch'])
})

test.each(['cos', 'oss'] as const)('%s: nothing is overwritten', async (name) => {
  const { store, session, headers, body } = await opened(name)
  await send('POST', session.completeURL, { headers, body: body(await putAll(session)) })
  const second = await store.open(BYTES, 8)

  const refused = await send('POST', second.completeURL, { headers, body: body(await putAll(second)) })

  expect([refused.status, codeOf(refused)]).toEqual([409, 'FileAlreadyExists'])
})

test('cos signs the length of a part, the others note one that is wrong', async () => {
  const cos = await opened('cos')
  const ks3 = await opened('ks3')

  const refused = await send('PUT', cos.session.upload_urls[0], { body: 'short' })
  const taken = await send('PUT', ks3.session.upload_urls[0], { body: 'short' })

  expect([refused.status, taken.status]).toEqual([403, 200])
  expect(ks3.store.host.violations).toEqual(['ks3.putPart: chunk 0 has 5 bytes, agreed were 8'])
})

test.each([
  ['oss', { status: 500, body: '' }],
  ['oss', undefined],
  ['obs', { status: 400, body: '{"code":-1,"msg":""}' }],
  ['obs', undefined],
] as const)('%s answers 203 when the callback fails with %o, and keeps the object', async (name, answer) => {
  const { store, session, headers, body } = await opened(name)
  store.answer = answer

  const done = await send('POST', session.completeURL, { headers, body: body(await putAll(session)) })

  expect([done.status, codeOf(done)]).toEqual([203, 'CallbackFailed'])
  expect(await store.store.stat(KEY)).toBe(BYTES.length)
})

test('obs: who is called back is signed with the rest', async () => {
  const { store, session } = await opened('obs')
  const etags = await putAll(session)

  const refused = await send('POST', session.completeURL?.replace('x-obs-callback=', 'x-obs-callback=a'), {
    body: partList(etags),
  })

  expect(codeOf(refused)).toBe('SignatureDoesNotMatch')
  expect(store.calls).toEqual([])
})

test('oss: there is no list of parts, and there must be parts', async () => {
  const { store, session, headers } = await opened('oss')

  const none = await send('POST', session.completeURL, { headers })
  const etags = await putAll(session)
  const listed = await send('POST', session.completeURL, { headers, body: partList(etags) })
  const other = await store.open(BYTES, 8, { key: 'other' })
  await send('PUT', other.upload_urls[0], { body: PARTS[0] ?? '' })
  const incomplete = await send('POST', other.completeURL, { headers })

  expect([none, listed].map(codeOf)).toEqual(['InvalidPart', 'InvalidArgument'])
  expect(incomplete.status).toBe(200)
  expect(store.host.violations).toEqual([
    'oss.complete: the completion has a body',
    'oss.complete: completed with 1 of 3 parts',
  ])
})
