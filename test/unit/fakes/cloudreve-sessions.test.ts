import { describe, expect, test } from 'vitest'
import {
  FILE,
  type Answer,
  asBob,
  chunk,
  clientOf,
  create,
  created,
  drop,
  info,
  infoOf,
  plainStore,
  put,
  setup,
  signedIn,
} from './cloudreve-raw.ts'

const ALICE = 'alice@example.org'
const my = (name: string): string => `cloudreve://my/${encodeURIComponent(name)}`
const codeOf = ({ code }: Answer): number => code

describe('a session is refused', () => {
  test.each([
    ['a name of 256 bytes', my('ä'.repeat(128)), 40_052],
    ['a colon', my('a:b'), 40_052],
    ['a question mark', my('a?b'), 40_052],
    ['a backslash', my('a\\b'), 40_052],
    ['a folder on the way that may not be called so', `${my('a*b')}/c`, 40_052],
    ['no name at all', 'cloudreve://my/', 40_004],
    ['no URI', 'file:///a', 40_001],
    ['a broken escape', 'cloudreve://my/%zz', 40_001],
    ['the files of somebody else', 'cloudreve://someone@my/a', 403],
    ['a share', 'cloudreve://id@share/a', 404],
  ])('for %s', async (_, uri, code) => {
    const { client } = await signedIn()

    expect(await create(client, { uri })).toMatchObject({ status: 200, code })
  })

  test('not for 255 bytes, for names that need escaping, nor for either Unicode form', async () => {
    const { fake, client } = await signedIn()
    const names = [`${'ä'.repeat(127)}b`, 'a b#c%d+e&f', 'Ä', 'A\u0308', '😀', "(it's) ~!"]

    for (const name of names) {
      expect(await create(client, { uri: my(name), size: 1 })).toMatchObject({ code: 0 })
    }

    const uris = (await fake.files()).map(({ uri }) => decodeURIComponent(uri))
    expect(uris).toEqual(names.map((name) => `cloudreve://my/${name}`))
    expect(fake.violations).toEqual([])
  })

  test.each([
    ['a negative size', { size: -1 }, 40_001],
    ['no size', { size: undefined }, 40_001],
    ['a policy that cannot be decoded', { policy_id: 'nonsense' }, 40_001],
    ['metadata of no known category', { metadata: { note: 'x' } }, 40_001],
    ['metadata of the system', { metadata: { 'sys:upload_session_id': 'x' } }, 40_001],
    ['an unknown entity type', { entity_type: 'thumbnail' }, 40_001],
    ['a live photo of nothing', { entity_type: 'live_photo' }, 40_016],
  ])('for %s', async (_, fields, code) => {
    const { client } = await signedIn()

    expect(await create(client, fields)).toMatchObject({ status: 200, code })
  })

  test.each([
    ['a file too large', { maxSize: 9 }, 40_049],
    ['a suffix that is not allowed', { allowedSuffix: ['txt'] }, 40_052],
    ['a suffix that is denied', { deniedSuffix: ['bin'] }, 40_052],
    ['a name that is not allowed', { allowedNameRegexp: '^b' }, 40_052],
    ['a name that is denied', { deniedNameRegexp: '^a' }, 40_052],
  ])('by its policy for %s', async (_, rules, code) => {
    const { client } = await signedIn({ policies: [{ type: 'local', ...rules }] })

    expect(await create(client)).toMatchObject({ code })
  })

  test('for who is nobody, and for who does not show the ticket', async () => {
    const { fake, client } = await signedIn({ purchaseTicket: 'ticket-1' })
    const headers = { 'x-cr-purchase-ticket': 'ticket-1' }
    const json = { uri: FILE, size: 1 }

    expect(await create(client)).toMatchObject({ code: 403 })
    expect(await client.call('PUT', '/file/upload', { json, headers })).toMatchObject({ code: 0 })
    expect(await chunk(client, 'any', 0, '')).toMatchObject({ code: 403 })
    expect(await drop(client, 'any')).toMatchObject({ code: 403 })
    expect(await clientOf(fake).call('PUT', '/file/upload', { json, headers })).toMatchObject({ code: 401 })
  })

  test('with an empty policy_id before 4.11, not since', async () => {
    const old = await signedIn({ version: '4.10.2' })
    const current = await signedIn()

    expect(await create(old.client, { policy_id: '' })).toMatchObject({ code: 40_001 })
    expect(await create(old.client)).toMatchObject({ code: 0 })
    expect(await create(current.client, { policy_id: undefined })).toMatchObject({ code: 0 })
  })

  test('when the driver fails: -1, without a word, and nothing stays', async () => {
    const { fake, client } = await signedIn({
      policies: [{ type: 'onedrive' }],
      stores: plainStore('onedrive'),
    })

    const answer = await create(client, { size: 0, policy_id: 'onedrive0' })

    expect(answer).toMatchObject({ status: 200, code: -1, text: expect.stringContaining('"msg":""') })
    expect(fake.placeholders()).toEqual([])
    expect(await info(client)).toMatchObject({ code: 40_016 })
    expect(await create(client, { size: 1, policy_id: 'onedrive0' })).toMatchObject({ code: 0 })
  })
})

describe('what is there already', () => {
  test('makes 40004 for a plain session, a running or stale placeholder and a folder as well', async () => {
    const { fake, client } = await signedIn()
    const running = await created(client)

    const whileRunning = await create(client)
    fake.restart()
    const stale = await create(client)
    const folder = await create(client, { uri: 'cloudreve://my/dir', entity_type: 'version' })

    expect([whileRunning, stale, folder].map(codeOf)).toEqual([40_004, 40_004, 40_004])
    expect(await drop(client, running.session_id)).toMatchObject({ code: 0 })
    expect(await create(client)).toMatchObject({ code: 0 })
  })

  test('is locked for a version while it is uploaded: 40073 with the lock, which can be broken', async () => {
    const { client } = await signedIn()
    const { session_id } = await created(client)

    const locked = await create(client, { entity_type: 'version' })
    const [lock] = [locked.data].flat()
    const tokens = [String(Object(lock).token)]
    await client.call('DELETE', '/file/lock', { json: { tokens } })
    const robbed = await chunk(client, session_id, 0, 'x'.repeat(10))

    expect(locked).toMatchObject({
      status: 200,
      code: 40_073,
      data: [{ path: FILE, type: 0, owner: { application: { type: 'upload' } } }],
    })
    expect(robbed).toMatchObject({ code: 40_073 })
    expect(robbed.text).not.toContain('"data"')
  })

  test('is there for the second of two that come at once', async () => {
    const { fake, client } = await signedIn()

    const plain = await Promise.all([create(client), create(client)])
    const wanted = { entity_type: 'version', uri: my('b') }
    const versions = await Promise.all([create(client, wanted), create(client, wanted)])

    expect(plain.map(codeOf).toSorted((a, b) => a - b)).toEqual([0, 40_004])
    expect(versions.map(codeOf).toSorted((a, b) => a - b)).toEqual([0, 40_073])
    expect(fake.placeholders()).toHaveLength(2)
  })

  test('gets a version, which becomes the current one and keeps the former', async () => {
    const { fake, client } = await signedIn()
    await put(client, 'first')
    const before = await infoOf(client)
    const { session_id } = await created(client, {
      entity_type: 'version',
      previous: before.primary_entity,
    })
    const during = await infoOf(client)

    await chunk(client, session_id, 0, 'y'.repeat(10))
    const after = await infoOf(client)

    expect(during).toMatchObject({ size: 5, primary_entity: before.primary_entity })
    expect(during.metadata).toEqual({ 'sys:upload_session_id': session_id })
    expect(after.primary_entity).not.toBe(before.primary_entity)
    expect((await fake.contents(before.primary_entity)).toString()).toBe('first')
    expect((await fake.contents(FILE)).toString()).toBe('y'.repeat(10))
    expect(fake.accountStats(ALICE).used).toBe(15)
  })

  test('is dropped by the new version where versions are not kept', async () => {
    const fake = await setup({
      users: [{ email: ALICE, password: 'pass-word', versionRetention: false }],
    })
    const { data } = await clientOf(fake).call('POST', '/session/token', {
      json: { email: ALICE, password: 'pass-word' },
    })
    const client = clientOf(fake, Object(Object(data).token).access_token)

    await put(client, 'first')
    await put(client, 'second!')

    expect(await fake.files()).toMatchObject([{ type: 'folder' }, { entities: [{ size: 7 }] }])
    expect(fake.accountStats(ALICE).used).toBe(7)
  })

  test('must be what `previous` says: 40076, since 4.11', async () => {
    const { client } = await signedIn()
    const old = await signedIn({ version: '4.10.0' })
    for (const each of [client, old.client]) await put(each, 'first')
    const wanted = { entity_type: 'version', previous: 'zzzz' }

    expect(await create(client, wanted)).toMatchObject({ code: 40_076 })
    expect(await put(client, 'second', { previous: 'zzzz' })).toMatchObject({ code: 40_076 })
    expect(await create(old.client, wanted)).toMatchObject({ code: 0 })
  })

  test('when several things are wrong, the first in the order of the code is told', async () => {
    const fake = await setup({
      users: [{ email: ALICE, password: 'pass-word', quota: 20 }],
      policies: [{ type: 'local', maxSize: 100 }],
    })
    const { data } = await clientOf(fake).call('POST', '/session/token', {
      json: { email: ALICE, password: 'pass-word' },
    })
    const client = clientOf(fake, Object(Object(data).token).access_token)
    await put(client, 'first')
    const wrong = { entity_type: 'version', previous: 'zzzz' }

    const codes = [
      await create(client, { ...wrong, metadata: { odd: '' }, entity_type: '' }),
      await create(client, { ...wrong, size: 101, entity_type: '' }),
      await create(client, { ...wrong, size: 101 }),
      await create(client, { ...wrong, size: 99 }),
      await create(client, { ...wrong, size: 9 }),
    ].map(codeOf)
    await created(client, { entity_type: 'version' })
    const locked = await create(client, { ...wrong, size: 101 })

    expect([...codes, locked.code]).toEqual([40_001, 40_004, 40_049, 40_051, 40_076, 40_073])
  })

  test('loses a stale placeholder to the next version session', async () => {
    const { fake, client } = await signedIn()
    const { session_id } = await created(client)
    fake.restart()

    const next = await created(client, { entity_type: 'version', size: 3 })

    expect(next.session_id).not.toBe(session_id)
    expect(fake.placeholders()).toMatchObject([{ sessionId: next.session_id, reserved: 3 }])
    expect(await chunk(client, session_id, 0, 'x'.repeat(10))).toMatchObject({ code: 40_011 })
  })
})

describe('quota', () => {
  const poor = { users: [{ email: ALICE, password: 'pass-word', quota: 15 }] }

  async function poorClient(options: { version?: string } = {}) {
    const fake = await setup({ ...poor, ...options })
    const { data } = await clientOf(fake).call('POST', '/session/token', {
      json: { email: ALICE, password: 'pass-word' },
    })
    return { fake, client: clientOf(fake, Object(Object(data).token).access_token) }
  }

  test('is reserved by sessions, also by those that ran out, until they are deleted', async () => {
    const { fake, client } = await poorClient()
    const { session_id } = await created(client)
    await fake.expireSessions()

    const refused = await create(client, { uri: my('b') })
    const capacity = await client.call('GET', '/user/capacity')
    const placeholders = fake.placeholders()
    await drop(client, session_id)

    expect(refused.code).toBe(40_051)
    expect(capacity.data).toEqual({ total: 15, used: 10 })
    expect(placeholders).toEqual([
      { uri: FILE, user: ALICE, sessionId: session_id, reserved: 10, isLive: false, isLocked: false },
    ])
    expect(await create(client, { uri: my('b') })).toMatchObject({ code: 0 })
  })

  test('was not reserved before 4.18', async () => {
    const { client } = await poorClient({ version: '4.17.0' })
    await created(client)

    expect(await create(client, { uri: my('b') })).toMatchObject({ code: 0 })
  })
})

describe('DELETE /file/upload', () => {
  test('of a version leaves the file, of an empty file that was there takes it along', async () => {
    const { fake, client } = await signedIn()
    await put(client, 'first')
    const version = await created(client, { entity_type: 'version' })
    const json = { uri: my('empty'), type: 'file' }
    await client.call('POST', '/file/create', { json })
    const onEmpty = await created(client, { uri: my('empty'), entity_type: 'version' })

    await drop(client, version.session_id)
    await drop(client, onEmpty.session_id, my('empty'))

    expect(await infoOf(client)).toMatchObject({ size: 5, metadata: null })
    expect(await info(client, my('empty'))).toMatchObject({ code: 40_016 })
    expect(fake.accountStats(ALICE).used).toBe(5)
  })

  test('after completion is harmless, and of a missing file 40016', async () => {
    const { fake, client } = await signedIn()
    const { session_id } = await created(client)
    await chunk(client, session_id, 0, 'x'.repeat(10))

    expect(await drop(client, session_id)).toMatchObject({ text: '{"code":0,"msg":""}' })
    expect((await fake.contents(FILE)).toString()).toBe('x'.repeat(10))
    expect(await drop(client, session_id, my('gone'))).toMatchObject({ code: 40_016 })
  })

  test('with an id of no session there takes the mark, or meets the lock of the one that runs', async () => {
    const { fake, client } = await signedIn()
    const { session_id } = await created(client)

    const locked = await drop(client, 'something-else')
    fake.restart()
    const stripped = await drop(client, 'something-else')

    expect([locked.code, stripped.code]).toEqual([40_073, 0])
    expect(await infoOf(client)).toMatchObject({ metadata: null })
    expect(fake.placeholders()).toMatchObject([{ sessionId: session_id }])
  })

  test('of somebody else’s session does nothing to it, and is told', async () => {
    const { fake, client } = await signedIn()
    const bob = await asBob(fake)
    const { session_id } = await created(client)
    await put(bob, 'mine')

    await drop(bob, session_id)

    expect(fake.violations).toEqual([`deleteSession: bob@example.org deletes a session of ${ALICE}`])
    expect(fake.placeholders()).toMatchObject([{ user: ALICE }])
  })
})

test('policies go by the folder; what a session is told of one depends on the version', async () => {
  const policies = [
    { type: 'local' as const, encryption: true, chunkConcurrency: 2 },
    { type: 's3' as const, folder: '/s3', chunkSize: 0 },
  ]
  const { client } = await signedIn({ policies, stores: plainStore('s3') })
  const old = await signedIn({ policies, stores: plainStore('s3'), version: '4.6.0' })
  const pro = await signedIn({ policies, stores: plainStore('s3'), pro: true })

  const elsewhere = await created(client, { uri: my('s3.bin') })
  const below = await created(client, { uri: 'cloudreve://my/s3/deep/a.bin', policy_id: 'local0' })
  const early = await created(old.client)
  const chosen = await created(pro.client, { policy_id: 's31' })

  expect(elsewhere.storage_policy).toEqual({
    id: 'local0',
    name: 'local',
    type: 'local',
    max_size: 0,
    chunk_concurrency: 2,
    encryption: true,
  })
  expect(below).toMatchObject({
    chunk_size: 26_214_400,
    upload_id: 'multipart',
    upload_urls: [expect.stringContaining(below.session_id)],
    storage_policy: { id: 's31', type: 's3' },
  })
  expect(early.storage_policy).toEqual({ id: 'local0', name: 'local', type: 'local', max_size: 0 })
  expect(chosen.storage_policy.type).toBe('s3')
})

test('carelessness is told: unknown fields, a missing Content-Type, a URI that is not escaped', async () => {
  const { fake, client } = await signedIn()

  await create(client, { file_size: 10 })
  await create(client, { uri: 'cloudreve://my/a b' })
  await create(client, { uri: 'cloudreve://my/c#d' })
  await client.call('PUT', '/file/upload', { body: Buffer.from(JSON.stringify({ uri: my('e'), size: 1 })) })
  await client.call('GET', '/file/nothing')

  expect(fake.violations).toEqual([
    'createSession: unknown field file_size in the body',
    'createSession: in the uri cloudreve://my/a b its path is not escaped',
    'createSession: in the uri cloudreve://my/c#d it has a fragment',
    'createSession: a JSON body with Content-Type none',
    'unknown: GET /api/v4/file/nothing is nothing that the site has',
  ])
})

test('more calls at once than allowed are told', async () => {
  const { fake, client } = await signedIn({ maxConcurrentCalls: 1 })
  const both = Promise.withResolvers<void>()
  let arrived = 0
  fake.hooks.onRequest = async ({ phase }) => {
    if (phase === 'arrival' && (arrived += 1) === 2) both.resolve()
    if (phase === 'arrival') await both.promise
  }

  await Promise.all([info(client), info(client)])

  expect(fake.violations).toEqual([`info: 2 calls of ${ALICE} at once, 1 allowed`])
})
