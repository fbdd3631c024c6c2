import { execFileSync } from 'node:child_process'
import { chmod, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, inject, test } from 'vitest'
import { accountBody, type Api, itemsOf, openApi, pathsOf, textOf, uploadBody } from './api.ts'

/** An API with an account `main`. */
async function open(): Promise<Api> {
  const api = await openApi(inject('redisUrl'))
  await api.ask('POST', '/v1/accounts', { body: accountBody() })
  return api
}

describe('accepting', () => {
  test('answers 202 with the upload', async () => {
    await using api = await open()
    const source = await api.file('Großer Wald.vrcw', 'twelve bytes')
    const tomorrow = new Date(Date.now() + 24 * 60 * 60 * 1000).toISOString()

    const answer = await api.ask('POST', '/v1/uploads', {
      body: uploadBody(source, {
        priority: 3,
        verify: 'download',
        deadline: tomorrow.replace('Z', '+00:00'),
      }),
    })

    expect(answer.status).toBe(202)
    expect(answer.headers['location']).toBe(`/v1/uploads/${textOf(answer.json['id'])}`)
    expect(answer.json).toMatchObject({
      id: expect.stringMatching(/^upl_[0-9a-z]{26}$/),
      provider: 'vrchat',
      account: 'main',
      state: 'queued',
      waitingFor: 'turn',
      source,
      fileName: 'Großer Wald.vrcw',
      destination: { name: 'A world' },
      size: 12,
      bytesSent: 0,
      bytesResent: 0,
      parts: { total: 0, done: 0 },
      version: null,
      error: null,
      epoch: 1,
      attempts: 0,
      priority: 3,
      deadline: tomorrow,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    })
    expect((await api.stores.uploads.read(textOf(answer.json['id'])))?.verify).toBe('download')
  })

  test.each([
    ['a bad file id', { destination: { fileId: 'file_x' } }, 'destination.fileId'],
    ['no destination', { destination: undefined }, 'destination'],
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['another provider', { provider: 'nowhere' }, 'provider'],
    ['an account that is not there', { account: 'other' }, 'account'],
    ['a bad deadline', { deadline: 'soon' }, 'deadline'],
    ['https', { source: 'https://example.test/a.vrcw' }, 'source'],
    ['a path that is no URL', { source: '/etc/passwd' }, 'source'],
  ])('%s is refused at its path', async (_, fields, path) => {
    await using api = await open()

    const answer = await api.ask('POST', '/v1/uploads', {
      body: uploadBody(await api.file('a.vrcw'), fields),
    })

    expect(answer.status).toBe(422)
    expect(answer.headers['content-type']).toMatch('application/problem+json')
    expect(pathsOf(answer)).toEqual([path])
  })

  test('what the provider could never take is refused', async () => {
    await using api = await open()
    const source = await api.file('a.vrcw')

    const tooSmall = await api.ask('POST', '/v1/uploads', { body: uploadBody(source, { partSize: 1 }) })
    const contradiction = await api.ask('POST', '/v1/uploads', {
      body: uploadBody(source, {
        newFile: true,
        destination: { fileId: 'file_00000000-0000-4000-8000-000000000001' },
      }),
    })

    expect(tooSmall).toMatchObject({ status: 422, json: { detail: expect.stringMatching('partSize') } })
    expect(contradiction).toMatchObject({ status: 422, json: { detail: expect.stringMatching('newFile') } })
    expect(itemsOf(await api.ask('GET', '/v1/uploads'))).toEqual([])
  })

  test('sources outside the roots are forbidden, whether they exist or not', async () => {
    await using api = await open()
    await symlink('/etc/passwd', join(api.folder, 'link'))
    const linked = pathToFileURL(join(api.folder, 'link')).href

    for (const source of [
      'file:///etc/passwd',
      'file:///etc/no-such-file',
      `file://${api.folder}/../x`,
      linked,
    ]) {
      const answer = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })
      expect(answer.status).toBe(403)
      expect(pathsOf(answer)).toEqual(['source'])
    }
  })

  test('what can not be read as a file is refused', async () => {
    await using api = await open()
    await mkdir(join(api.folder, 'folder'))
    execFileSync('mkfifo', [join(api.folder, 'pipe')])
    await api.file('locked')
    await chmod(join(api.folder, 'locked'), 0o000)
    const mayReadAll = process.getuid?.() === 0

    for (const name of ['missing', 'folder', 'pipe', ...(mayReadAll ? [] : ['locked'])]) {
      const source = pathToFileURL(join(api.folder, name)).href
      const answer = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })
      expect({ name, status: answer.status }).toEqual({ name, status: 422 })
      expect(pathsOf(answer)).toEqual(['source'])
    }
  })

  test.each([
    ['no JSON', '{"provider":', {}, 400],
    ['a poisoned object', '{"__proto__": {"a": 1}}', {}, 400],
    ['nothing', '', {}, 422],
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['more than 1 MiB', JSON.stringify({ a: 'x'.repeat(1024 * 1024) }), {}, 413],
  ])('%s is no request', async (_, body, headers, status) => {
    await using api = await open()

    const answer = await api.ask('POST', '/v1/uploads', { body, headers })

    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toMatch('application/problem+json')
  })
})

describe('an Idempotency-Key', () => {
  const headers = { 'idempotency-key': 'night 7/3' }

  test('makes the same request the same upload, in whatever order its fields come', async () => {
    await using api = await open()
    const body = uploadBody(await api.file('a.vrcw'))
    const reordered = Object.fromEntries(Object.entries(body).toReversed())

    const [first, second] = [
      await api.ask('POST', '/v1/uploads', { body, headers }),
      await api.ask('POST', '/v1/uploads', { body: reordered, headers }),
    ]

    expect(second.status).toBe(202)
    expect(second.json).toEqual(first.json)
    expect(itemsOf(await api.ask('GET', '/v1/uploads'))).toHaveLength(1)
  })

  test('answers a repetition even when the source is gone', async () => {
    await using api = await open()
    const source = await api.file('a.vrcw')
    const first = await api.ask('POST', '/v1/uploads', { body: uploadBody(source), headers })
    execFileSync('rm', [join(api.folder, 'a.vrcw')])

    const second = await api.ask('POST', '/v1/uploads', { body: uploadBody(source), headers })

    expect(second.json['id']).toBe(first.json['id'])
  })

  test('with another request is a conflict that names the upload', async () => {
    await using api = await open()
    const source = await api.file('a.vrcw')
    const first = await api.ask('POST', '/v1/uploads', { body: uploadBody(source), headers })

    const other = await api.ask('POST', '/v1/uploads', { body: uploadBody(source, { priority: 1 }), headers })

    expect(other).toMatchObject({ status: 409, json: { upload: first.json['id'] } })
  })

  test('sent many times at once makes one upload', async () => {
    await using api = await open()
    const body = uploadBody(await api.file('a.vrcw'))

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => api.ask('POST', '/v1/uploads', { body, headers })),
    )

    expect(new Set(answers.map(({ json }) => json['id'])).size).toBe(1)
    expect(answers.every(({ status }) => status === 202)).toBe(true)
  })

  test('is forgotten with its upload: there is nothing left to answer with', async () => {
    await using api = await open()
    const body = uploadBody(await api.file('a.vrcw'))
    const first = textOf((await api.ask('POST', '/v1/uploads', { body, headers })).json['id'])
    await api.stores.uploads.want(first, 'cancel')
    await api.stores.uploads.remove(first)

    const second = await api.ask('POST', '/v1/uploads', { body, headers })

    expect(second.status).toBe(202)
    expect(second.json['id']).not.toBe(first)
  })

  test.each(['', 'x'.repeat(256), 'ä'])('like %j is refused', async (key) => {
    await using api = await open()
    const body = uploadBody(await api.file('a.vrcw'))

    const answer = await api.ask('POST', '/v1/uploads', { body, headers: { 'idempotency-key': key } })

    expect(answer.status).toBe(422)
    expect(pathsOf(answer)).toEqual(['idempotency-key'])
  })
})

describe('lists', () => {
  test('begin with the newest and go on at the cursor', async () => {
    await using api = await open()
    const source = await api.file('a.vrcw')
    const ids: unknown[] = []
    for (let n = 0; n < 5; n += 1) {
      ids.unshift((await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })).json['id'])
    }

    const first = await api.ask('GET', '/v1/uploads?limit=3')
    const second = await api.ask('GET', `/v1/uploads?limit=3&cursor=${textOf(first.json['next'])}`)

    expect([...itemsOf(first), ...itemsOf(second)].map(({ id }) => id)).toEqual(ids)
    expect(second.json['next']).toBeNull()
  })

  test('are filtered by account and state', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody({ id: 'other' }) })
    const source = await api.file('a.vrcw')
    const mine = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })
    const theirs = await api.ask('POST', '/v1/uploads', { body: uploadBody(source, { account: 'other' }) })
    await api.ask('POST', `/v1/uploads/${textOf(theirs.json['id'])}/cancel`)

    const idsOf = async (query: string) =>
      itemsOf(await api.ask('GET', `/v1/uploads?${query}`)).map(({ id }) => id)

    expect(await idsOf('account=main')).toEqual([mine.json['id']])
    expect(await idsOf('state=cancelled')).toEqual([theirs.json['id']])
    expect(await idsOf('state=cancelled&account=main')).toEqual([])
  })

  test('show what another version wrote without stumbling over it', async () => {
    await using api = await open()
    const source = await api.file('a.vrcw')
    const { json } = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })
    const id = textOf(json['id'])
    await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })
    await api.stores.redis.hset(api.stores.keys.upload(id), 'v', '99')

    const list = await api.ask('GET', '/v1/uploads')
    const one = await api.ask('GET', `/v1/uploads/${id}`)

    expect(itemsOf(list).map(({ state }) => state)).toEqual(['queued', 'unreadable'])
    expect(one).toMatchObject({ status: 200, json: { id, state: 'unreadable' } })
    expect((await api.ask('GET', `/v1/uploads/${id}/parts`)).status).toBe(409)
  })

  test.each(['limit=0', 'limit=501', 'limit=x', 'state=lost', 'cursor=[', 'colour=red'])(
    'refuse ?%s',
    async (query) => {
      await using api = await open()

      expect((await api.ask('GET', `/v1/uploads?${query}`)).status).toBe(422)
    },
  )
})

const waits = async (api: Api, id: unknown): Promise<unknown> =>
  (await api.ask('GET', `/v1/uploads/${textOf(id)}`)).json['waitingFor']

describe('a queued upload says what it waits for', () => {
  test('the upload before it at its destination', async () => {
    await using api = await open()
    const source = await api.file('a.vrcw')
    const first = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })
    const second = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })

    expect(await waits(api, first.json['id'])).toBe('turn')
    expect(await waits(api, second.json['id'])).toBe(`destination: ${textOf(first.json['id'])}`)

    await api.stores.uploads.dispatch(10)

    expect(await waits(api, second.json['id'])).toBe(`destination: ${textOf(first.json['id'])}`)
  })

  test('a person, or the end of a pause', async () => {
    await using api = await open()
    const { json } = await api.ask('POST', '/v1/uploads', { body: uploadBody(await api.file('a.vrcw')) })

    await api.stores.redis.set(api.stores.keys.accountParked('main'), 'slow down', 'PX', 60_000)
    expect(await waits(api, json['id'])).toMatch(/^account: parked until \d{4}-/)
    expect((await api.ask('GET', '/v1/accounts/main')).json['parked']).toMatchObject({ why: 'slow down' })

    await api.stores.accounts.setState('main', 'needs-2fa')
    expect(await waits(api, json['id'])).toBe('account: needs-2fa')
  })
})

describe('commands', () => {
  test('cancel ends a waiting upload, and may be repeated', async () => {
    await using api = await open()
    const { json } = await api.ask('POST', '/v1/uploads', { body: uploadBody(await api.file('a.vrcw')) })
    const url = `/v1/uploads/${textOf(json['id'])}`

    const cancelled = await api.ask('POST', `${url}/cancel`)

    expect(cancelled).toMatchObject({ status: 202, json: { state: 'cancelled', waitingFor: null } })
    expect((await api.ask('POST', `${url}/cancel`)).status).toBe(202)
  })

  test('retry brings it back, but only one that has ended', async () => {
    await using api = await open()
    const { json } = await api.ask('POST', '/v1/uploads', { body: uploadBody(await api.file('a.vrcw')) })
    const url = `/v1/uploads/${textOf(json['id'])}`

    expect((await api.ask('POST', `${url}/retry`)).status).toBe(409)
    await api.ask('POST', `${url}/cancel`)
    expect(await api.ask('POST', `${url}/retry`)).toMatchObject({
      status: 202,
      json: { state: 'queued', epoch: 2 },
    })
  })
})

test.each([
  ['GET', '/v1/uploads/upl_none'],
  ['GET', '/v1/uploads/upl_none/parts'],
  ['POST', '/v1/uploads/upl_none/cancel'],
  ['POST', '/v1/uploads/upl_none/retry'],
] as const)('%s %s does not find an upload that is not there', async (method, url) => {
  await using api = await open()

  expect((await api.ask(method, url)).status).toBe(404)
})
