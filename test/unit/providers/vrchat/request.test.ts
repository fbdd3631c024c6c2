import { expect, test } from 'vitest'
import { planParts } from '#shared/providers/vrchat/plan.ts'
import { accountRequest, fileTraits, uploadRequest } from '#shared/providers/vrchat/request.ts'
import { createVrchat } from '#shared/providers/vrchat/index.ts'

const fileId = 'file_ce35d830-e20a-4df0-a6d4-5aaef4508044'
const request = (destination: unknown, more: Record<string, unknown> = {}) => ({ destination, ...more })
const issuesOf = (input: unknown): string[] =>
  (uploadRequest.safeParse(input).error?.issues ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )

test.each([
  [request({}), ['destination.fileId: give a fileId or a name']],
  [request({ fileId: 'file_1' }), ['destination.fileId: must look like file_<uuid>']],
  [
    request({ fileId, name: 'both', tags: ['x'] }),
    [
      'destination.name: belongs to a new File and cannot be given beside a fileId',
      'destination.tags: belongs to a new File and cannot be given beside a fileId',
    ],
  ],
  [request({ name: 'a\r\nb' }), ['destination.name: has control characters in it']],
  [
    request({ name: 'a\ud800b' }),
    ['destination.name: has half a surrogate pair in it, which is no Unicode text'],
  ],
  [
    request({ name: 'x', tags: ['😀', '\udc00'] }),
    ['destination.tags.1: has half a surrogate pair in it, which is no Unicode text'],
  ],
  [request({ name: 'x', extension: '../x' }), ['destination.extension: must be an extension such as .vrca']],
  [request({ name: 'x', colour: 'red' }), ['destination: Unrecognized key: "colour"']],
  [request({ name: 'x' }, { partSize: 0 }), ['partSize: Too small: expected number to be >=1']],
])('%j is refused with the place and the reason', (input, issues) => {
  expect(issuesOf(input)).toEqual(issues)
})

test('one name is one place, however its accents are written', () => {
  const { destination } = createVrchat()
  const [composed, decomposed] = ['Caf\u00e9', 'Cafe\u0301'].map((name) =>
    destination('ann', uploadRequest.parse(request({ name })), 'upl_1'),
  )
  expect(composed).toEqual(decomposed)
})

test('destinations: by id over all accounts, by name per account, a new File in line with its name', () => {
  const { destination } = createVrchat()
  const of = (input: unknown) => destination('ann', uploadRequest.parse(input), 'upl_1')
  expect(of(request({ fileId: fileId.toUpperCase().replace('FILE', 'file') }))).toEqual({
    key: `vrchat/${fileId}`,
  })
  expect(of(request({ name: 'Cube' }))).toEqual({ key: 'vrchat/ann/name/Cube', binding: 'ann/Cube' })
  expect(of(request({ name: 'Cube' }, { newFile: true }))).toEqual({
    key: 'vrchat/ann/name/Cube',
    binding: 'ann/Cube',
    fresh: true,
  })
  expect(() => of(request({ fileId }, { newFile: true }))).toThrow('needs a name')
})

test.each([
  ['avatar.vrca', {}, { extension: '.vrca', mimeType: 'application/x-avatar' }],
  ['photo.jpg', {}, { extension: '.jpg', mimeType: 'image/jpg' }],
  ['photo.JPG', {}, { extension: '.JPG', mimeType: 'image/jpg' }],
  ['noextension', {}, { extension: '.bin', mimeType: 'application/octet-stream' }],
  ['x.vrca', { extension: 'vrcw' }, { extension: '.vrcw', mimeType: 'application/x-world' }],
  ['x.vrca', { mimeType: 'application/gzip' }, { extension: '.vrca', mimeType: 'application/gzip' }],
])('%s with %j makes a File of the right kind', (fileName, more, traits) => {
  const parsed = uploadRequest.parse(request({ name: 'Cube', ...more }))
  expect(fileTraits(parsed, fileName)).toEqual({ name: 'Cube', ...traits })
})

const account = { contact: 'ann@home.net', acknowledged: true }

test.each([
  ['contact', { contact: 'someone@example.com' }],
  ['contact', { contact: 'just me' }],
  ['acknowledged', { acknowledged: false }],
  ['totpSecret', { totpSecret: 'not base 32!' }],
  ['baseUrl', { baseUrl: 'ftp://x' }],
  ['username', { username: 'a\ud800' }],
  ['password', { password: 'a\ud800' }],
  ['authCookie', { authCookie: 'a\r\nb' }],
])('an account with a bad %s is refused, without its value in the reason', (path, change) => {
  const { error } = accountRequest.safeParse({ ...account, ...change })
  expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path])
})

test('an account’s defaults are gentle and its address has no slash at the end', () => {
  expect(accountRequest.parse({ ...account, baseUrl: 'http://127.0.0.1:1/api/1//' })).toMatchObject({
    baseUrl: 'http://127.0.0.1:1/api/1',
    onForeign: 'wait',
    etagCheck: 'strict',
    foreignWaitMs: 3_600_000,
  })
})

const MiB = 1024 * 1024
const plan = (size: number, partSize?: number, least?: number) =>
  planParts(uploadRequest.parse(request({ fileId }, partSize === undefined ? {} : { partSize })), size, least)

test.each([
  [0, 16 * MiB],
  [16_000 * MiB, 16 * MiB],
  [16_000 * MiB + 1, 17 * MiB],
  [5 * 1024 * 1024 * MiB, 5243 * MiB],
])('%i bytes are cut into parts of %i', (size, partSize) => {
  expect(plan(size).partSize).toBe(partSize)
  expect(Math.ceil(size / partSize)).toBeLessThanOrEqual(1000)
})

test('a part size by hand is taken within what storage takes', () => {
  expect(plan(100 * MiB, 5 * MiB).partSize).toBe(5 * MiB)
  expect(plan(100, 10, 1).partSize).toBe(10)
  expect(() => plan(1, 5 * MiB - 1)).toThrow('at least 5242880 bytes')
  expect(() => plan(1, 6 * 1024 * MiB)).toThrow('5 GiB')
  expect(() => plan(10_001 * 5 * MiB, 5 * MiB)).toThrow('10,000')
  expect(() => plan(5 * 1024 * 1024 * MiB + 1)).toThrow('5 TiB')
})
