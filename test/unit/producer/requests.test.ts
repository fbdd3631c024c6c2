import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { canonical } from '#producer/enqueue.ts'
import { placesNamed, placeWithId } from '#producer/places.ts'
import { createRequests } from '#producer/requests.ts'
import { invalid } from '#producer/validation.ts'
import { createProviderList, createProviders } from '#shared/providers/index.ts'

const requests = createRequests(createProviderList())
const vrchat = createProviders()('vrchat')
const fileId = 'file_00000000-0000-4000-8000-000000000001'

const account = { provider: 'vrchat', id: 'main', contact: 'me@somewhere.dev', acknowledged: true }
const upload = { provider: 'vrchat', account: 'main', source: 'file:///a', destination: { name: 'A' } }

const pathsOf = (result: z.ZodSafeParseResult<unknown>): string[] =>
  result.success ? [] : invalid(result.error).body.errors.map(({ path }) => path)

describe('an account request', () => {
  test('is parted into settings and secrets', () => {
    const parsed = requests.account.parse({
      ...account,
      username: 'ada',
      password: 'p',
      limits: { partsAtOnce: 2 },
    })

    expect(parsed.credentials).toEqual({ username: 'ada', password: 'p' })
    expect(parsed.settings).toMatchObject({ contact: 'me@somewhere.dev', onForeign: 'wait' })
    expect(parsed.settings).not.toHaveProperty('password')
    expect(parsed.limits).toEqual({ partsAtOnce: 2 })
  })

  test.each([
    ['an unknown field', { ...account, colour: 'red' }, ['colour']],
    ['a bad id', { ...account, id: '-a' }, ['id']],
    ['a missing acknowledgement', { ...account, acknowledged: undefined }, ['acknowledged']],
    ['a limit out of bounds', { ...account, limits: { partsAtOnce: 0 } }, ['limits.partsAtOnce']],
    ['an unknown limit', { ...account, limits: { x: 1 } }, ['limits.x']],
    ['another provider', { ...account, provider: 'nowhere' }, ['provider']],
    ['no object', 7, ['']],
  ])('with %s is refused at that field', (_, body, paths) => {
    expect(pathsOf(requests.account.safeParse(body))).toEqual(paths)
  })
})

describe('a change of an account', () => {
  test('holds only what was given, not what would be the default', () => {
    const patch = requests.patch('vrchat', { etagCheck: 'opaque' })

    expect(patch.data).toEqual({ limits: {}, settings: { etagCheck: 'opaque' }, credentials: {} })
  })

  test('may take secrets back', () => {
    expect(requests.patch('vrchat', { totpSecret: null }).data?.credentials).toEqual({ totpSecret: null })
  })

  test.each([{ id: 'other' }, { provider: 'x' }, { contact: null }, { baseUrl: 'ftp://x' }])(
    'refuses %j',
    (body) => {
      expect(requests.patch('vrchat', body).success).toBe(false)
    },
  )
})

describe('an upload request', () => {
  test("keeps the provider's own fields apart", () => {
    const parsed = requests.upload.parse({ ...upload, newFile: true })

    expect(parsed).toMatchObject({ provider: 'vrchat', account: 'main', priority: 100 })
    expect(parsed.provided).toMatchObject({ destination: { name: 'A' }, newFile: true, onUnchanged: 'skip' })
    expect(parsed.provided).not.toHaveProperty('account')
  })

  test.each([
    ['a bad id', { ...upload, destination: { fileId: 'x' } }, ['destination.fileId']],
    ['no destination', { ...upload, destination: {} }, ['destination.fileId']],
    ['an unknown field in it', { ...upload, destination: { name: 'A', x: 1 } }, ['destination.x']],
    ['a deadline that is over', { ...upload, deadline: '2020-01-01T00:00:00Z' }, ['deadline']],
    ['a deadline that is none', { ...upload, deadline: 'tomorrow' }, ['deadline']],
    ['a priority out of bounds', { ...upload, priority: 1001 }, ['priority']],
    ['several things', { ...upload, account: '!', source: 1 }, ['account', 'source']],
  ])('with %s is refused at that field', (_, body, paths) => {
    expect(new Set(pathsOf(requests.upload.safeParse(body)))).toEqual(new Set(paths))
  })
})

test('a union says what is wrong with the alternative that was meant', () => {
  const union = z.union([
    z.strictObject({ a: z.number(), b: z.number() }),
    z.strictObject({ c: z.string(), d: z.string() }),
  ])

  expect(pathsOf(union.safeParse({ a: 1, b: 'x' }))).toEqual(['b'])
})

test('an id and a name both lead to their place, the id first', () => {
  expect(placesNamed(vrchat, 'main', fileId)[0]?.key).toContain(fileId)
  expect(placeWithId(vrchat, 'main', fileId)?.binding).toBeUndefined()
  expect(placesNamed(vrchat, 'main', 'A world').map(({ binding }) => binding)).toEqual(['main/A world'])
  expect(placeWithId(vrchat, 'main', 'A world')).toBeUndefined()
})

test('requests are the same whatever the order of their fields', () => {
  expect(canonical({ b: 1, a: { d: [2, 1], c: null } })).toBe(canonical({ a: { c: null, d: [2, 1] }, b: 1 }))
  expect(canonical([1, 2])).not.toBe(canonical([2, 1]))
})

test('a wrong key of a map says what is wrong with it', () => {
  const schema = z.strictObject({
    metadata: z.record(z.string().regex(/^tag:/, 'must begin with tag:'), z.string()),
  })
  const { error } = schema.safeParse({ metadata: { foo: 'bar' } })
  if (error === undefined) throw new Error('it was taken')
  const { errors } = invalid(error).body
  expect(errors).toEqual([{ path: 'metadata.foo', message: 'must begin with tag:' }])
})
