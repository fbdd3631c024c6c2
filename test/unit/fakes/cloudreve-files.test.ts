import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  type Answer,
  type Client,
  FILE,
  OCTETS,
  chunk,
  clientOf,
  create,
  created,
  info,
  piecewise,
  infoOf,
  put,
  signedIn,
} from './cloudreve-raw.ts'
import { send } from './raw-client.ts'

const listingSchema = z.looseObject({
  files: z.array(z.looseObject({ name: z.string(), type: z.number() })),
  pagination: z.looseObject({
    page: z.number(),
    page_size: z.number(),
    next_token: z.string().optional(),
    is_cursor: z.boolean().optional(),
  }),
})

async function list(client: Client, uri: string, query: Record<string, string> = {}) {
  const answer = await client.call('GET', `/file?${new URLSearchParams({ uri, ...query }).toString()}`)
  return listingSchema.parse(answer.data)
}

const names = ({ files }: z.output<typeof listingSchema>): string[] => files.map(({ name }) => name)
const codeOf = ({ code }: Answer): number => code
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

describe('a listing', () => {
  test('pages by cursor, or by number, as the site is set up', async () => {
    const cursor = await signedIn()
    const numbered = await signedIn({ paging: 'page' })
    for (const { client } of [cursor, numbered]) {
      for (const name of ['a', 'b', 'c']) await put(client, name, { uri: `cloudreve://my/d/${name}` })
    }
    const query = { page_size: '2', order_by: 'name' }

    const first = await list(cursor.client, 'cloudreve://my/d', query)
    const { next_token = '' } = first.pagination
    const rest = await list(cursor.client, 'cloudreve://my/d', { ...query, next_page_token: next_token })
    const second = await list(numbered.client, 'cloudreve://my/d', { ...query, page: '1' })

    expect(names(first)).toEqual(['a', 'b'])
    expect(first.pagination).toMatchObject({ is_cursor: true, page_size: 2 })
    expect(names(rest)).toEqual(['c'])
    expect(rest.pagination.next_token).toBeUndefined()
    expect(names(second)).toEqual(['c'])
    expect(second.pagination).toEqual({ page: 1, page_size: 2, total_items: 3 })
  })

  test('tells the policy that uploads there would use, and finds placeholders by their mark', async () => {
    const { fake, client } = await signedIn({
      policies: [{ type: 'local' }, { type: 'local', id: 'fast', folder: '/fast' }],
    })
    const { session_id } = await created(client)
    await put(client, 'x', { uri: 'cloudreve://my/fast/b' })

    const root = await list(client, 'cloudreve://my/')
    const fast = await list(client, 'cloudreve://my/fast')
    const marked = await list(client, 'cloudreve://my?meta_sys:upload_session_id=')

    expect(root).toMatchObject({ storage_policy: { id: 'local0' }, props: { max_page_size: 2000 } })
    expect(fast).toMatchObject({ storage_policy: { id: 'fast' } })
    expect(marked.files).toMatchObject([
      { name: 'a.bin', path: FILE, metadata: { 'sys:upload_session_id': session_id } },
    ])
    expect(fake.violations).toEqual([])
  })

  test('of what is not there, or for nobody, is an error', async () => {
    const { fake, client } = await signedIn()
    const path = `/file?${new URLSearchParams({ uri: 'cloudreve://my/none' }).toString()}`

    expect(await client.call('GET', path)).toMatchObject({ status: 200, code: 40_016 })
    expect(await clientOf(fake).call('GET', path)).toMatchObject({ status: 200, code: 401 })
  })
})

describe('PUT /file/content', () => {
  test('makes a file, then a version of it, for every policy', async () => {
    const { fake, client } = await signedIn({ policies: [{ type: 's3', relay: true, encryption: true }] })

    const first = await put(client, 'first')
    const second = await put(client, 'second', { previous: Object(first.data).primary_entity })

    expect(first).toMatchObject({ code: 0, data: { type: 0, name: 'a.bin', size: 5, metadata: null } })
    expect(second).toMatchObject({ code: 0, data: { size: 6 } })
    expect((await fake.contents(FILE)).toString()).toBe('second')
    expect((await fake.contents(FILE, { raw: true })).toString()).not.toBe('second')
    expect(await fake.files()).toMatchObject([
      { type: 'folder' },
      { sha256: sha256('second'), entities: [{ sha256: sha256('first') }, { isCurrent: true }] },
    ])
    expect(fake.violations).toEqual([])
  })

  test('takes what is empty, refuses what is too large, and must know the length', async () => {
    const { fake, client } = await signedIn({ maxEditSize: 4 })
    const path = `/file/content?${new URLSearchParams({ uri: FILE }).toString()}`

    const large = await put(client, 'large')
    const unknown = await client.call('PUT', path, { body: piecewise('ab'), headers: OCTETS })
    const empty = await put(client, '')

    expect([large, unknown, empty].map(codeOf)).toEqual([40_049, 40_001, 0])
    expect(await infoOf(client)).toMatchObject({ size: 0 })
    expect(fake.violations).toEqual(['putContent: the body was sent chunked, without its length'])
  })

  test('meets the lock of an upload, and ends the placeholder of one that lost it', async () => {
    const { fake, client } = await signedIn()
    await created(client)

    const locked = await put(client, 'new')
    fake.restart()
    const taken = await put(client, 'new')

    expect(locked).toMatchObject({ code: 40_073, data: [{ path: FILE }] })
    expect(taken.code).toBe(0)
    expect(fake.placeholders()).toEqual([])
    expect(fake.accountStats('alice@example.org').used).toBe(3)
  })

  test('that breaks off leaves nothing', async () => {
    const { fake, client } = await signedIn()
    fake.faults.add({ operation: 'putContent', action: { kind: 'reset-mid-body' } })

    await expect(put(client, 'x'.repeat(100_000))).rejects.toThrow(/closed|ECONNRESET|EPIPE/)

    fake.faults.clear()
    expect(await info(client)).toMatchObject({ code: 40_016 })
    expect(await put(client, 'again')).toMatchObject({ code: 0 })
  })
})

describe('files and folders', () => {
  test('are created with their parents, and not twice', async () => {
    const { client } = await signedIn()
    const make = (fields: object) => client.call('POST', '/file/create', { json: fields })

    const folder = await make({ uri: 'cloudreve://my/a/b/', type: 'folder' })
    const same = await make({ uri: 'cloudreve://my/a/b', type: 'folder' })
    const strict = await make({ uri: 'cloudreve://my/a/b', type: 'folder', err_on_conflict: true })
    const other = await make({ uri: 'cloudreve://my/a/b', type: 'file' })
    const file = await make({ uri: 'cloudreve://my/a/c', type: 'file', metadata: { 'tag:x': '' } })
    const session = await create(client, { uri: 'cloudreve://my/a/c' })

    expect(folder).toMatchObject({ code: 0, data: { type: 1, path: 'cloudreve://my/a/b' } })
    expect(Object(same.data).id).toBe(Object(folder.data).id)
    expect([strict, other, session].map(codeOf)).toEqual([40_004, 40_004, 40_004])
    expect(file).toMatchObject({ data: { type: 0, size: 0, metadata: { 'tag:x': '' } } })
    expect(names(await list(client, 'cloudreve://my/a'))).toEqual(['b', 'c'])
  })

  test('are known by uri and by id; an empty one has the entity of all that has none', async () => {
    const { client } = await signedIn()
    await client.call('POST', '/file/create', { json: { uri: FILE, type: 'file' } })
    await created(client, { uri: 'cloudreve://my/placeholder' })

    const byUri = await infoOf(client)
    const byId = await client.call('GET', `/file/info?id=${String(byUri['id'])}`)
    const placeholder = await infoOf(client, 'cloudreve://my/placeholder')

    expect(byId.data).toMatchObject({ path: FILE, primary_entity: byUri.primary_entity })
    expect(placeholder.primary_entity).toBe(byUri.primary_entity)
    expect(await client.call('GET', '/file/info?id=none')).toMatchObject({ code: 40_016 })
  })

  test('are deleted in a batch that tells what it could not, into the trash or for good', async () => {
    const { fake, client } = await signedIn()
    await put(client, 'trash', { uri: 'cloudreve://my/t' })
    await put(client, 'gone', { uri: 'cloudreve://my/folder/g' })
    await created(client)
    const remove = (fields: object) => client.call('DELETE', '/file', { json: fields })

    const some = await remove({ uris: ['cloudreve://my/t', 'cloudreve://my/none', 'cloudreve://my/dir'] })
    const trashed = fake.accountStats('alice@example.org').used
    const all = await remove({ uris: ['cloudreve://my/folder'], skip_soft_delete: true })

    expect(some).toMatchObject({ status: 200, code: 40_081 })
    expect(JSON.parse(some.text)).toMatchObject({
      aggregated_error: {
        'cloudreve://my/none': { code: 40_016 },
        'cloudreve://my/dir': { code: 40_073 },
      },
    })
    expect(trashed).toBe('trash'.length + 'gone'.length + 10)
    expect(all.code).toBe(0)
    expect(fake.accountStats('alice@example.org').used).toBe('trash'.length + 10)
    expect((await fake.files()).map(({ uri }) => uri)).toEqual(['cloudreve://my/dir', FILE])
    expect(await remove({ uris: Array(3001).fill('cloudreve://my/x') })).toMatchObject({ code: 40_074 })
  })
})

test('versions are chosen and deleted by entity', async () => {
  const { fake, client } = await signedIn()
  const first = Object((await put(client, 'first')).data).primary_entity
  const second = Object((await put(client, 'second')).data).primary_entity
  const version = (method: string, path: string, entity: unknown) =>
    client.call(method, path, { json: { uri: FILE, version: entity } })

  const chosen = await version('POST', '/file/version/current', first)
  const current = await infoOf(client)
  const refused = await version('DELETE', '/file/version', first)
  const deleted = await version('DELETE', '/file/version', second)
  const missing = await version('DELETE', '/file/version', second)

  expect([chosen, refused, deleted, missing].map(codeOf)).toEqual([0, 40_001, 0, 40_077])
  expect(current).toMatchObject({ primary_entity: first, size: 5 })
  expect((await info(client)).data).toMatchObject({
    extended_info: { storage_used: 5, entities: [{ id: first, size: 5, type: 0 }] },
  })
  expect((await fake.contents(FILE)).toString()).toBe('first')
})

describe('downloads', () => {
  const urlsSchema = z.object({ urls: z.array(z.object({ url: z.url() })), expires: z.iso.datetime() })

  async function urlOf(client: Client, fields: object = {}): Promise<string> {
    const { data } = await client.call('POST', '/file/url', { json: { uris: [FILE], ...fields } })
    return urlsSchema.parse(data).urls[0]?.url ?? ''
  }

  test('are signed addresses that need no login, decrypted, of any version', async () => {
    const { fake, client } = await signedIn({ policies: [{ type: 'local', encryption: true }] })
    const first = Object((await put(client, 'first')).data).primary_entity
    await put(client, 'second')

    const current = await send(await urlOf(client, { download: true }), { method: 'GET' })
    const former = await send(await urlOf(client, { entity: first }), { method: 'GET' })

    expect(current).toMatchObject({ status: 200, text: 'second', headers: { 'content-length': '6' } })
    expect(former.text).toBe('first')
    expect(fake.ledger.at(-1)).toMatchObject({ operation: 'download', user: undefined })
    expect(fake.violations).toEqual([])
  })

  test('show it when a byte was tampered with', async () => {
    const { fake, client } = await signedIn()
    await put(client, 'first')
    const url = await urlOf(client)

    fake.tamper(FILE)

    expect((await send(url, { method: 'GET' })).text).toMatch(/irst$/)
    expect((await fake.contents(FILE)).toString('latin1')).toBe('\x99irst')
    expect(await fake.files()).toMatchObject([{}, { sha256: expect.not.stringMatching(sha256('first')) }])
  })

  test('with another signature, of no file, or of a placeholder are refused', async () => {
    const { client } = await signedIn()
    await put(client, 'first')
    const url = await urlOf(client)
    await created(client, { uri: 'cloudreve://my/b' })
    const ask = (uris: string[]) => client.call('POST', '/file/url', { json: { uris } })

    expect((await send(`${url}x`, { method: 'GET' })).json).toMatchObject({ code: 40_071 })
    expect(await ask(['cloudreve://my/none'])).toMatchObject({ code: 40_016 })
    expect(await ask(['cloudreve://my/b'])).toMatchObject({ code: 40_077 })
    expect(await ask([])).toMatchObject({ code: 40_001 })
  })
})

test('totals count what was declared, what came and what is there', async () => {
  const { fake, client } = await signedIn({ policies: [{ type: 'local', chunkSize: 4 }] })
  const { session_id } = await created(client, { size: 6 })
  for (const text of ['aaaa', 'aaaa']) await chunk(client, session_id, 0, text)
  await chunk(client, session_id, 1, 'bb')
  await created(client, { uri: 'cloudreve://my/open' })

  expect(await fake.totals()).toMatchObject({
    files: [
      {
        uri: FILE,
        user: 'alice@example.org',
        declaredSize: 6,
        storedBytes: 6,
        receivedBytes: 10,
        sha256: sha256('aaaabb'),
      },
    ],
    placeholders: 1,
    reservedBytes: 10,
    receivedBytes: 10,
    declaredBytes: 6,
    requests: { login: 1, createSession: 2, sendChunk: 3 },
    resentAcknowledged: 1,
    violations: 0,
  })
})

test('content can be forgotten: its digest is known where it came in order', async () => {
  const { fake, client } = await signedIn({
    keepContent: false,
    policies: [{ type: 'local', chunkSize: 4 }],
  })
  const { session_id } = await created(client, { size: 6 })
  await chunk(client, session_id, 0, 'aaaa')
  await chunk(client, session_id, 1, 'bb')

  expect((await fake.totals()).files).toMatchObject([{ storedBytes: 6, sha256: sha256('aaaabb') }])
  expect(await fake.contents(FILE)).toHaveLength(0)
})

test('what somebody else left can be seeded', async () => {
  const { fake, client } = await signedIn()

  const entity = await fake.seedFile({ uri: FILE, bytes: Buffer.from('theirs'), lastModified: 1_000_000 })

  expect(await infoOf(client)).toMatchObject({
    size: 6,
    primary_entity: entity,
    updated_at: '1970-01-01T00:16:40.000Z',
  })
})

test('the control interface shows and changes what the fake can', async () => {
  const { fake, client } = await signedIn()
  const control = async (method: string, path: string, body?: object) =>
    (await send(fake.controlUrl + path, { method, body: body && JSON.stringify(body) })).json
  const { session_id } = await created(client)

  await control('POST', '/faults', { operation: 's3.putPart', action: 'no-etag' })
  await control('POST', '/faults', { operation: 'list', action: 'lost-reply' })
  await control('POST', '/switches', { failCallbacks: 2 })
  await control('POST', '/users', { email: 'carol@example.org', password: 'word' })
  await control('POST', '/expire-tokens')
  const anonymous = await info(client)
  await control('POST', '/restart', { sessions: 'lost' })

  expect(anonymous.code).toBe(401)
  expect(await control('GET', '/faults')).toHaveLength(2)
  expect(await control('POST', '/faults', { operation: 'nothing', action: 'hang' })).toHaveProperty('error')
  expect(await control('GET', '/placeholders')).toMatchObject([{ sessionId: session_id, isLive: false }])
  expect(await control('GET', '/sessions')).toEqual([])
  expect(await control('GET', '/ledger?operation=info')).toMatchObject([{ code: 401 }])
  expect(await control('GET', '/accounts?user=carol@example.org')).toMatchObject({ logins: 0 })
  expect(await control('GET', '/totals')).toMatchObject({ placeholders: 1 })
  expect(fake.switches.failCallbacks).toBe(2)
})

test('errors name the correlation that the client sent, or one of their own', async () => {
  const { client } = await signedIn()
  const path = `/file/info?${new URLSearchParams({ uri: FILE }).toString()}`

  const named = await client.call('GET', path, { headers: { 'x-cr-correlation-id': 'abc' } })
  const own = await client.call('GET', path)
  const binding = await client.call('GET', '/file/info')

  expect(JSON.parse(named.text)).toMatchObject({ correlation_id: 'abc' })
  expect(JSON.parse(own.text)).toMatchObject({ correlation_id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  expect(binding).toMatchObject({ status: 200, code: 40_001 })
  expect(binding.text).not.toContain('correlation_id')
})
