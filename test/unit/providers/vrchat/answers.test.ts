import { expect, test } from 'vitest'
import { AccountParked, FatalError, NeedsPerson, TryLater, Unreachable } from '#shared/errors.ts'
import { readError, refusalOf } from '#shared/providers/vrchat/answers.ts'
import { certainlyNotMade } from '#shared/providers/vrchat/opening.ts'

const messageOf = (message: string): string => readError(answer(400, { error: { message } })).message
const asked = { url: 'https://api.vrchat.cloud/api/1/file', what: 'POST /file' }
const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  text: typeof body === 'string' ? body : JSON.stringify(body),
  header: (name: string) => headers[name],
  setCookies: [],
})

test.each([
  ['A', { error: { message: 'plain', status_code: 404 } }, 'plain'],
  ['A, quoted twice', { error: { message: '"in quotes"', status_code: 404 } }, 'in quotes'],
  ['A without message', { error: { status_code: 404 } }, ''],
  ['A with fields', { error: { message: 'bad words', fields: ['name'] } }, 'bad words (["name"])'],
  ['B', { error: 'no route', status_code: 404 }, 'no route'],
  ['C', { error: 'no route' }, 'no route'],
  ['neither', { error: 7 }, ''],
  ['not even an object', [], ''],
])('shape %s is read', (_, body, message) => {
  expect(readError(answer(404, body))).toMatchObject({ json: true, message })
})

test('HTML is known to be none of VRChat’s', () => {
  expect(readError(answer(502, '<html>502 Bad Gateway</html>'))).toMatchObject({ json: false, message: '' })
})

test('look-alike punctuation is read as what it stands for', () => {
  expect(messageOf('"File ’file_1’ not found․ See https꞉∕∕vrchat․com‚ please"')).toBe(
    "File 'file_1' not found. See https://vrchat.com, please",
  )
})

test('cookies, tokens and signed queries that an answer echoes are left out', () => {
  const message =
    'authcookie_1234-canary eyJhbGciOi.canary-x.canary_y at https://s3.amazonaws.com/a/b?Signature=canary&x=1 .'
  expect(messageOf(message)).toBe('authcookie_… eyJ… at https://s3.amazonaws.com/a/b?… .')
})

test('a long message is cut between characters, never within one', () => {
  expect(messageOf(`x${'😀'.repeat(400)}`)).toBe(`x${'😀'.repeat(299)}`)
})

test('half a surrogate pair in a message is replaced', () => {
  expect(messageOf('a \ud83d b')).toBe('a \ufffd b')
})

test('a 500 that starts with 409 is a refusal', () => {
  const body = { error: { message: '"409․ Only the latest version can be deleted 1 2"', status_code: 500 } }
  expect(refusalOf(answer(500, body), asked)).toMatchObject({ name: 'Refusal', status: 409 })
})

test('a 500 that only mentions 409 is trouble', () => {
  const body = { error: { message: 'request 409 failed', status_code: 500 } }
  expect(refusalOf(answer(500, body), asked)).toBeInstanceOf(Unreachable)
})

test.each([
  ['12 more minutes', 'please wait 12 more minutes', {}, 720_000],
  ['a Retry-After', 'please wait 12 more minutes', { 'retry-after': '8' }, 8000],
])('429 waits for %s', (_, message, headers, delayMs) => {
  expect(refusalOf(answer(429, { error: { message } }, headers), asked)).toMatchObject({ delayMs })
})

test.each([
  [new TryLater('a turn', 1), true],
  [new TryLater('circuit', 1, { cause: new Unreachable('h', 'lost') }), false],
  [new AccountParked('429', 1), true],
  [new AccountParked('504', 1, { cause: new Unreachable('h', '504') }), false],
  [new NeedsPerson('needs-2fa', 'code'), true],
  [new FatalError('refused', 'no'), true],
  [new Unreachable('h', 'reset', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) }), false],
  [new Unreachable('h', 'refused', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }), true],
  [new Error('unknown'), false],
])('%s: was certainly nothing made? %s', (error, certain) => {
  expect(certainlyNotMade(error)).toBe(certain)
})
