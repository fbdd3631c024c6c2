import { expect, test } from 'vitest'
import { AccountParked, FatalError, Unreachable } from '#shared/errors.ts'
import { failureOf } from '#shared/http/failure.ts'
import { retryAfterMs } from '#shared/http/retry-after.ts'

const now = Date.parse('Sat, 21 Nov 2026 12:00:00 GMT')
const hours = 3_600_000

test.each([
  ['8', 8000],
  ['1.5', 1500],
  ['0', 1000],
  ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
  ['Sat, 21 Nov 2026 11:00:00 GMT', 1000],
  ['150100', 12 * hours],
  ['99999999999999999999', 12 * hours],
  ['Tue, 21 Nov 2028 12:00:00 GMT', 12 * hours],
  ['-5', undefined],
  ['soon', undefined],
  ['', undefined],
  ['Sat, nonsense', undefined],
  ['5 minutes', undefined],
])('Retry-After: %s is %s ms', (value, ms) => {
  expect(retryAfterMs(value, now)).toBe(ms)
})

test('no header is no wait', () => {
  expect(retryAfterMs(undefined, now)).toBeUndefined()
})

const asked = { url: 'https://api.vrchat.cloud/api/1/files?token=canary', what: 'GET /files' }
const answer = (status: number, headers: Record<string, string> = {}) => ({
  status,
  header: (name: string) => headers[name],
})

test('a date is measured by the answer’s own clock', () => {
  const headers = { date: 'Mon, 05 Jan 2015 10:00:00 GMT', 'retry-after': 'Mon, 05 Jan 2015 10:01:00 GMT' }
  expect(failureOf(answer(503, headers), asked)).toMatchObject({ name: 'AccountParked', delayMs: 60_000 })
})

test.each([408, 425, 500, 502, 503, 504])('%i is the other side’s trouble', (status) => {
  const failure = failureOf(answer(status), asked)
  expect(failure).toBeInstanceOf(Unreachable)
  expect(failure).toMatchObject({ host: 'https://api.vrchat.cloud', message: `GET /files → ${status}` })
})

test.each([
  [408, true],
  [500, true],
  [503, true],
  [504, true],
  [429, false],
  [403, false],
])('%i with Retry-After parks; that its outcome is unknown: %s', (status, unknown) => {
  const failure = failureOf(answer(status, { 'retry-after': '8' }), asked)
  expect(failure).toMatchObject({ name: 'AccountParked', delayMs: 8000 })
  expect(failure.cause instanceof Unreachable).toBe(unknown)
})

test.each(['-1', 'garbage', undefined])(
  '429 with Retry-After %s pauses the account by our own measure',
  (value) => {
    const failure = failureOf(answer(429, value === undefined ? {} : { 'retry-after': value }), asked)
    expect(failure).toBeInstanceOf(AccountParked)
    const delay = failure instanceof AccountParked ? failure.delayMs : 0
    expect(delay).toBeGreaterThanOrEqual(60_000)
    expect(delay).toBeLessThanOrEqual(90_000)
  },
)

test('503 with a Retry-After that says nothing is just unreachable', () => {
  expect(failureOf(answer(503, { 'retry-after': '-1' }), asked)).toBeInstanceOf(Unreachable)
})

test.each([
  [400, 'bad-request'],
  [422, 'bad-request'],
  [403, 'refused'],
  [404, 'refused'],
  [302, 'refused'],
])('%i is final', (status, errorClass) => {
  const failure = failureOf(answer(status), asked, 'said so')
  expect(failure).toBeInstanceOf(FatalError)
  expect(failure).toMatchObject({ class: errorClass, message: `GET /files → ${status} said so` })
})
