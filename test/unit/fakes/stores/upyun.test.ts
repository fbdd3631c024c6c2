import { describe, expect, test, vi } from 'vitest'
import { createUpyunStore } from '../../../fakes/cloudreve/stores/upyun.ts'
import { upyunKeys } from '../../../fakes/cloudreve/stores/upyun-form.ts'
import { upyunAuthorization } from '../../../fakes/cloudreve/stores/signing/upyun.ts'
import type { Opened } from '../../../fakes/cloudreve/stores/store.ts'
import { type Answer, KEY, type Stage, md5, send, stage } from './stage.ts'

// With much that looks like the boundary, and is none.
const BYTES = Buffer.from('one\r\n--two\r\n\r\n--edg\n--edge\r\n--\r\n-')

async function opened(): Promise<{ upyun: Stage; session: Opened }> {
  const upyun = await stage(createUpyunStore)
  return { upyun, session: await upyun.open(BYTES, 0) }
}

type Field = readonly [string, string | Buffer]

const fieldsOf = ({ upload_policy: policy = '', credential = '' }: Opened): Field[] => [
  ['policy', policy],
  ['authorization', credential],
  ['content-type', 'text/plain'],
  ['file', BYTES],
]

function formOf(fields: readonly Field[]): Buffer {
  const members = fields.flatMap(([name, value]) => [
    Buffer.from(
      `--edge\r\nContent-Disposition: form-data; name="${name}"${name === 'file' ? '; filename="a"' : ''}\r\n\r\n`,
    ),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...members, Buffer.from('--edge--\r\n')])
}

const FORM = { 'content-type': 'multipart/form-data; boundary=edge' }

function post(session: Opened, body: Buffer | AsyncIterable<Buffer>, headers = FORM): Promise<Answer> {
  return send('POST', session.upload_urls[0], { headers, body })
}

test('one form brings the file, and the notification comes later, signed', async () => {
  const { upyun, session } = await opened()

  const done = await post(session, formOf(fieldsOf(session)))
  await vi.waitFor(() => expect(upyun.calls).toHaveLength(1))

  expect(done).toMatchObject({ status: 200, json: { code: 200, url: KEY } })
  expect(await upyun.store.read(KEY)).toEqual(BYTES)
  const [{ path, headers, body } = { path: '', headers: {}, body: '' }] = upyun.calls
  expect(path).toBe('/api/v4/callback/upyun/session-1/secret')
  expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
    code: '200',
    file_size: `${BYTES.length}`,
  })
  const signed = { method: 'POST', uri: path, date: headers.date ?? '', contentMd5: md5(body) }
  expect(headers.authorization).toBe(upyunAuthorization(upyunKeys, signed))
  expect(upyun.host.violations).toEqual([])
  expect(upyun.host.ledger.map(({ operation, sessionId }) => [operation, sessionId])).toEqual([
    ['upyun.post', 'session-1'],
  ])
})

test('it does not matter how the bytes are cut on their way', async () => {
  const { upyun, session } = await opened()
  const form = formOf(fieldsOf(session))
  const headers = { ...FORM, 'content-length': String(form.length) }
  const bytes = (async function* () {
    for (const byte of form) yield Buffer.of(byte)
  })()

  expect((await post(session, bytes, headers)).status).toBe(200)
  expect(await upyun.store.read(KEY)).toEqual(BYTES)
})

test('the same form may come again, as nobody can revoke a policy, and is reported again', async () => {
  const { upyun, session } = await opened()

  const answers = [
    await post(session, formOf(fieldsOf(session))),
    await post(session, formOf(fieldsOf(session))),
  ]
  await vi.waitFor(() => expect(upyun.calls).toHaveLength(2))

  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(await upyun.store.read(KEY)).toEqual(BYTES)
  expect(upyun.store.unfinished()).toBe(0)
  expect(upyun.host.violations).toEqual([])
})

test('an empty file without a type', async () => {
  const upyun = await stage(createUpyunStore)
  const session = await upyun.open(0, 0, { mimeType: '' })

  const done = await post(session, formOf([...fieldsOf(session).slice(0, 2), ['file', '']]))

  expect(done.status).toBe(200)
  expect(await upyun.store.stat(KEY)).toBe(0)
  expect(upyun.host.violations).toEqual([])
})

describe('refused', () => {
  test.each([
    ['the file before the policy', (fields: Field[]) => fields.toReversed(), 400],
    [
      'much before the policy',
      (fields: Field[]) => [['x', Buffer.alloc(4_000_000)] as const, ...fields],
      400,
    ],
    ['something after the file', (fields: Field[]) => [...fields, ['x', 'y'] as const], 400],
    [
      'authorization before policy',
      ([a, b, ...rest]: Field[]) => [b, a, ...rest].filter((field) => field !== undefined),
      400,
    ],
    ['no content-type', (fields: Field[]) => fields.filter(([name]) => name !== 'content-type'), 400],
    ['no file', (fields: Field[]) => fields.slice(0, 3), 400],
    ['another signature', replaced('authorization', 'UPYUN operator:AAAA'), 401],
    ['another policy', replaced('policy', 'e30='), 401],
    ['more bytes than agreed', replaced('file', Buffer.concat([BYTES, BYTES])), 413],
  ] as const)('%s', async (_, change, status) => {
    const { upyun, session } = await opened()

    const answer = await post(session, formOf(change(fieldsOf(session))))

    expect(answer.status).toBe(status)
    expect(upyun.host.violations).toHaveLength(1)
    expect(upyun.host.violations.join()).not.toContain('AAAA')
    expect(await upyun.store.stat(KEY)).toBeUndefined()
    expect(upyun.store.unfinished()).toBe(1)
  })

  test('what is no form, or is cut, or chunked, or elsewhere', async () => {
    const { upyun, session } = await opened()
    const form = formOf(fieldsOf(session))
    const chunks = (async function* () {
      yield form
    })()

    const answers = [
      await post(session, form, { 'content-type': 'application/octet-stream' }),
      await post(session, form.subarray(0, -12)),
      await post(session, Buffer.from('hello')),
      await post(session, chunks),
      await send('PUT', session.upload_urls[0], { body: form }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 411, 404])
    expect(upyun.host.violations).toHaveLength(5)
  })

  test('the policy of another file, one that expired, one of nobody', async () => {
    const { upyun, session } = await opened()
    const other = await upyun.open(BYTES, 0, { key: 'other' })
    const nobody = { ...session, upload_urls: [`${session.upload_urls[0]}0`] }

    const mixed = await post(session, formOf(fieldsOf(other)))
    const lost = await post(nobody, formOf(fieldsOf(session)))
    const noted = upyun.host.violations.length
    upyun.aheadMs = 3_700_000
    const late = await post(other, formOf(fieldsOf(other)))

    expect([mixed, lost, late].map(({ status }) => status)).toEqual([403, 400, 403])
    expect([noted, upyun.host.violations.length]).toEqual([2, 2])
  })
})

test('fewer bytes than agreed, or another type, are taken and noted', async () => {
  const { upyun, session } = await opened()
  const fields = replaced('content-type', 'a/b')(replaced('file', 'short')(fieldsOf(session)))

  expect((await post(session, formOf(fields))).status).toBe(200)
  expect(upyun.host.violations).toHaveLength(2)
})

test('bytes are lost and changed by fault', async () => {
  const { upyun, session } = await opened()
  upyun.host.faults.add({ operation: 'upyun.post', where: { sessionId: 'session-1' }, action: 'store-short' })

  await post(session, formOf(fieldsOf(session)))

  expect(await upyun.store.stat(KEY)).toBe(BYTES.length - 1)
  expect(upyun.host.violations).toEqual([])
})

function replaced(wanted: string, value: string | Buffer): (fields: Field[]) => Field[] {
  return (fields) => fields.map(([name, old]) => [name, name === wanted ? value : old])
}
