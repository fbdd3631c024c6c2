import { expect, test } from 'vitest'
import { TryLater } from '#shared/errors.ts'
import {
  errorOf,
  isLoginGone,
  siteCode,
  SiteRefusal,
  SiteTrouble,
} from '#shared/providers/cloudreve/site/codes.ts'

const of = (code: number, data?: unknown) =>
  errorOf({ code, what: 'PUT /file/upload', message: 'said so', correlationId: 'c-1', data })

test.each([-1, 409, 50001, 50004, 50006, 50007, 50011, 59999])('%i may work the next time', (code) => {
  const error = of(code)
  expect(error).toBeInstanceOf(SiteTrouble)
  expect(siteCode(error)).toBe(code)
})

test('a node that is offline is waited for', () => {
  const error = of(50010)
  expect(error).toBeInstanceOf(TryLater)
  expect(error).toMatchObject({ delayMs: expect.closeTo(75_000, -5) })
  expect(siteCode(error)).toBeUndefined()
})

test.each([
  [40004, 'conflict'],
  [40076, 'conflict'],
  [40001, 'bad-request'],
  [40012, 'bad-request'],
  [40013, 'bad-request'],
  [40052, 'bad-request'],
  [403, 'refused'],
  [40011, 'refused'],
  [40016, 'refused'],
  [40049, 'refused'],
  [40051, 'refused'],
  [40073, 'refused'],
  [40082, 'refused'],
  [50002, 'refused'],
  [50005, 'refused'],
  [49999, 'refused'],
])('%i is refused for good, as %s', (code, errorClass) => {
  expect(of(code)).toMatchObject({ name: 'SiteRefusal', code, class: errorClass, correlationId: 'c-1' })
})

test('a message has the call, the code, what was said, where to find it, and what to do', () => {
  expect(of(40051).message).toBe(
    'PUT /file/upload → code 40051: there is no space left in the quota (“said so”), correlation id c-1; ' +
      'free some, then retry the upload',
  )
  expect(errorOf({ code: -1, what: 'GET /file/info', message: '' }).message).toBe(
    "GET /file/info → code -1: the site failed without saying why; ask the site's administrator, who finds it in the log",
  )
})

test('what a refusal has with it is there for the caller, and in no log', () => {
  const error = of(40073, [{ token: 'lock-token' }])
  if (!(error instanceof SiteRefusal)) throw error
  expect(error.data).toEqual([{ token: 'lock-token' }])
  expect(JSON.stringify(error) + String(error.stack)).not.toContain('lock-token')
  expect(Object.keys(error)).not.toContain('data')
})

test('only a login that is gone is renewed', () => {
  expect([401, 40020, 40088, 403, 40011, 40089].filter(isLoginGone)).toEqual([401, 40020, 40088])
})
