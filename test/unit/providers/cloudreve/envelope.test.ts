import { expect, test } from 'vitest'
import { z } from 'zod'
import { AccountParked, FatalError, Unreachable } from '#shared/errors.ts'
import type { HttpAnswer } from '#shared/http.ts'
import { errorOf, SiteTrouble } from '#shared/providers/cloudreve/site/codes.ts'
import { readData, readEnvelope } from '#shared/providers/cloudreve/site/envelope.ts'

const asked = {
  url: 'https://drive.example.org/api/v4/file/upload?x=1',
  what: 'PUT /file/upload',
  secrets: ['sesame-token'],
}

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  header: (name) => headers[name],
  setCookies: [],
  text: typeof body === 'string' ? body : JSON.stringify(body),
})

const read = (...given: Parameters<typeof answer>) => readEnvelope(answer(...given), asked)

const thrownBy = (...given: Parameters<typeof answer>): Error => {
  try {
    read(...given)
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it was read')
}

const PAGE = '<html><body>502 Bad Gateway</body></html>'

test('a success has its data, and none when there is none', () => {
  expect(read(200, { code: 0, data: { a: 1 }, msg: '' })).toMatchObject({ code: 0, data: { a: 1 } })
  expect(read(200, { code: 0, msg: '' })).toMatchObject({ code: 0, data: undefined })
})

test.each([200, 400, 401])('a code decides, whatever the status: %i', (status) => {
  const { code, said } = read(status, { code: 40055, msg: 'bad size', correlation_id: 'c-7' })
  expect(code).toBe(40055)
  expect(errorOf(said).message).toContain(
    '40055: the stored object has another size than was announced (“bad size”), correlation id c-7',
  )
})

test('a message with a token or a signed address in it loses them', () => {
  const msg = 'no sesame-token at https://s3.example.org/a?X-Amz-Signature=abc eyJhbGciOi.eyJzdWIi.sig'
  const { said } = read(200, { code: 40001, msg })
  expect(said.message).toBe('no … at https://s3.example.org/a?… eyJ…')
})

test('of a batch, the one that failed is what counts', () => {
  const body = {
    code: 40081,
    msg: 'partially failed',
    correlation_id: 'c-1',
    aggregated_error: { 'cloudreve://my/a': { code: 40073, msg: 'locked', data: [1] } },
  }
  expect(read(200, body)).toMatchObject({
    code: 40073,
    data: [1],
    said: { message: 'locked', correlationId: 'c-1' },
  })
  expect(read(200, { code: 40081, msg: '' }).code).toBe(40081)
})

test.each([502, 503, 524, 500, 408])('a page with status %i is a proxy in trouble', (status) => {
  expect(thrownBy(status, PAGE)).toBeInstanceOf(Unreachable)
})

test('a 5xx is trouble even with an envelope', () => {
  expect(thrownBy(502, { code: 40011, msg: '' })).toBeInstanceOf(Unreachable)
})

test.each([PAGE, '', '[]', '"x"', '{"code":"0"}', { ok: true }])(
  '%j with status 200 is no success',
  (body) => {
    const error = thrownBy(200, body)
    expect(error).toBeInstanceOf(Unreachable)
    expect(error.message).toContain('without the envelope')
  },
)

test('a zero in the JSON of a proxy is no success either', () => {
  expect(thrownBy(404, { code: 0, msg: '' })).toBeInstanceOf(FatalError)
})

test('413 is final, and says what to change', () => {
  const error = thrownBy(413, PAGE)
  expect(error).toMatchObject({ class: 'refused' })
  expect(error.message).toMatch(/lower the chunk size .* client_max_body_size/)
})

test.each([
  [401, 'login of its own'],
  [404, "no Cloudreve V4 at the account's baseUrl"],
  [405, "no Cloudreve V4 at the account's baseUrl"],
])('a page with status %i is final, and says why', (status, why) => {
  const error = thrownBy(status, PAGE)
  expect(error).toMatchObject({ class: 'refused' })
  expect(error.message).toContain(why)
})

test('a firewall’s page may be gone the next time', () => {
  expect(thrownBy(403, PAGE)).toBeInstanceOf(SiteTrouble)
})

test.each([
  [429, {}, 60_000],
  [429, { 'retry-after': '7' }, 7000],
  [503, { 'retry-after': '9' }, 9000],
])('%i with %j parks the account', (status, headers, least) => {
  const error = thrownBy(status, { code: 0, msg: '' }, headers)
  if (!(error instanceof AccountParked)) throw error
  expect(error.delayMs).toBeGreaterThanOrEqual(least)
})

test.each([
  [301, FatalError],
  [308, FatalError],
  [302, Unreachable],
  [307, Unreachable],
])('a redirect with %i is not followed, and told without its query', (status, kind) => {
  const error = thrownBy(status, PAGE, { location: 'https://www.example.org/login?next=secret' })
  expect(error).toBeInstanceOf(kind)
  expect(error.message).toContain('to https://www.example.org: redirects are not followed; set baseUrl')
  expect(error.message).not.toContain('secret')
})

test('the plain errors of OAuth are told as they are', () => {
  const error = thrownBy(400, { error: 'invalid_grant', error_description: 'sesame-token has expired' })
  expect(error).toMatchObject({ class: 'refused' })
  expect(error.message).toBe('PUT /file/upload → 400 invalid_grant … has expired')
})

test('data that is not what was asked for is no success', () => {
  const schema = z.object({ chunk_size: z.number() })
  expect(readData({ chunk_size: 1, more: 2 }, asked, schema)).toEqual({ chunk_size: 1 })
  expect(() => readData({ chunk_size: 'big' }, asked, schema)).toThrow(/not as expected: chunk_size/)
})
