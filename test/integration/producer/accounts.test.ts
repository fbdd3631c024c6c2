import { describe, expect, inject, test } from 'vitest'
import { accountBody, itemsOf, openApi, pathsOf, uploadBody } from './api.ts'

const open = () => openApi(inject('redisUrl'))

const secrets = {
  username: 'canary-username',
  password: 'canary-password',
  totpSecret: 'CANARYTOTPSECRET',
  authCookie: 'authcookie_canary-cookie',
  apiKey: 'canary-api-key',
}

describe('adding', () => {
  test("answers the account with its provider's defaults", async () => {
    await using api = await open()

    const answer = await api.ask('POST', '/v1/accounts', {
      body: accountBody({ limits: { partsAtOnce: 2 } }),
    })

    expect(answer.status).toBe(201)
    expect(answer.headers['location']).toBe('/v1/accounts/main')
    expect(answer.json).toMatchObject({
      id: 'main',
      provider: 'vrchat',
      state: 'ready',
      contact: 'ops@stevedore.test',
      onForeign: 'wait',
      limits: { ...api.stores.providers('vrchat').limits, partsAtOnce: 2 },
      parked: null,
      activeUploads: 0,
    })
    expect((await api.ask('GET', '/v1/accounts/main')).json).toEqual(answer.json)
  })

  test('an id that is taken is a conflict', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody() })

    expect((await api.ask('POST', '/v1/accounts', { body: accountBody() })).status).toBe(409)
  })

  test.each([
    [{ contact: undefined }, ['contact']],
    [{ acknowledged: false }, ['acknowledged']],
    [{ baseUrl: 'ftp://x' }, ['baseUrl']],
    [{ id: 'A b' }, ['id']],
    [{ colour: 'red' }, ['colour']],
  ])('%j is refused at its path', async (fields, paths) => {
    await using api = await open()

    const answer = await api.ask('POST', '/v1/accounts', { body: accountBody(fields) })

    expect(answer.status).toBe(422)
    expect(answer.headers['content-type']).toMatch('application/problem+json')
    expect(pathsOf(answer)).toEqual(paths)
  })
})

test('accounts are listed by id, page after page', async () => {
  await using api = await open()
  for (const id of ['b', 'c', 'a']) await api.ask('POST', '/v1/accounts', { body: accountBody({ id }) })

  const first = await api.ask('GET', '/v1/accounts?limit=2')
  const second = await api.ask('GET', `/v1/accounts?limit=2&cursor=${String(first.json['next'])}`)

  expect(itemsOf(first).map(({ id }) => id)).toEqual(['a', 'b'])
  expect(itemsOf(second).map(({ id }) => id)).toEqual(['c'])
  expect(second.json['next']).toBeNull()
})

describe('changing', () => {
  test('keeps what is left out, of settings, limits and secrets', async () => {
    await using api = await open()
    const body = accountBody({
      onForeign: 'fail',
      username: 'ada',
      password: 'one',
      limits: { partsAtOnce: 5 },
    })
    await api.ask('POST', '/v1/accounts', { body })

    const change = { etagCheck: 'opaque', password: 'two', limits: { callsAtOnce: 2 } }
    const answer = await api.ask('PATCH', '/v1/accounts/main', { body: change })

    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ onForeign: 'fail', etagCheck: 'opaque' })
    expect(answer.json['limits']).toMatchObject({ partsAtOnce: 5, callsAtOnce: 2 })
    expect(await api.stores.accounts.credentials('main')).toEqual({ username: 'ada', password: 'two' })
  })

  test('a secret that is null is forgotten', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody({ username: 'ada', password: 'one' }) })

    await api.ask('PATCH', '/v1/accounts/main', { body: { password: null } })

    expect(await api.stores.accounts.credentials('main')).toEqual({ username: 'ada' })
  })

  test('new secrets let the account work again, other changes do not', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody() })
    await api.stores.accounts.setState('main', 'needs-login', { reason: 'refused' })

    const other = await api.ask('PATCH', '/v1/accounts/main', { body: { onForeign: 'fail' } })
    const secret = await api.ask('PATCH', '/v1/accounts/main', { body: { password: 'new' } })

    expect(other.json).toMatchObject({ state: 'needs-login', stateReason: 'refused' })
    expect(secret.json).toMatchObject({ state: 'ready', stateReason: null })
  })

  test.each([
    [{ id: 'other' }, 'id'],
    [{ onForeign: 'maybe' }, 'onForeign'],
    [{ limits: { partsAtOnce: 'x' } }, 'limits.partsAtOnce'],
  ])('%j is refused', async (body, path) => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody() })

    const answer = await api.ask('PATCH', '/v1/accounts/main', { body })

    expect(answer.status).toBe(422)
    expect(pathsOf(answer)).toEqual([path])
  })
})

describe('removing', () => {
  test('works when nothing is under way', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody() })

    expect((await api.ask('DELETE', '/v1/accounts/main')).status).toBe(204)
    expect((await api.ask('GET', '/v1/accounts/main')).status).toBe(404)
    expect((await api.ask('DELETE', '/v1/accounts/main')).status).toBe(404)
  })

  test('is refused while uploads have not ended, unless by force', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody() })
    const source = await api.file('a.vrcw')
    const { json } = await api.ask('POST', '/v1/uploads', { body: uploadBody(source) })

    const refused = await api.ask('DELETE', '/v1/accounts/main')
    const forced = await api.ask('DELETE', '/v1/accounts/main?force=true')

    expect(refused.status).toBe(409)
    expect(refused.json['detail']).toMatch('1 uploads of main have not ended')
    expect(forced.status).toBe(204)
    expect((await api.ask('GET', `/v1/uploads/${String(json['id'])}`)).json).toMatchObject({
      state: 'cancelled',
    })
  })

  test('by force answers 409 in the end when nobody ends what runs', async () => {
    await using api = await open()
    await api.ask('POST', '/v1/accounts', { body: accountBody() })
    await api.ask('POST', '/v1/uploads', { body: uploadBody(await api.file('a.vrcw')) })
    await api.stores.uploads.dispatch(10)

    const answer = await api.ask('DELETE', '/v1/accounts/main?force=true')

    expect(answer.status).toBe(409)
    expect(answer.json['detail']).toMatch('see that a worker runs')
    expect(itemsOf(await api.ask('GET', '/v1/uploads'))[0]).toMatchObject({ desired: 'cancel' })
  })
})

test.each([
  ['GET', '/v1/accounts/none'],
  ['PATCH', '/v1/accounts/none'],
  ['DELETE', '/v1/accounts/none'],
  ['POST', '/v1/accounts/none/login'],
  ['GET', '/v1/accounts/none/files'],
  ['GET', '/v1/accounts/none/files/file_x'],
  ['DELETE', '/v1/accounts/none/files/file_x'],
  ['GET', '/v1/versions?account=none&destination=x'],
] as const)('%s %s does not find an account that is not there', async (method, url) => {
  await using api = await open()

  const answer = await api.ask(method, url, method === 'PATCH' ? { body: {} } : {})

  expect(answer.status).toBe(404)
  expect(answer.json['detail']).toBe('There is no account none')
})

test('no answer and no line of the log ever holds a secret', async () => {
  await using api = await open()
  const seen: string[] = []
  const ask: typeof api.ask = async (...request) => {
    const answer = await api.ask(...request)
    seen.push(JSON.stringify(answer))
    return answer
  }

  await ask('POST', '/v1/accounts', { body: accountBody({ ...secrets, limits: { partsAtOnce: 0 } }) })
  await ask('POST', '/v1/accounts', { body: accountBody({ ...secrets, baseUrl: secrets.password }) })
  await ask('POST', '/v1/accounts', { body: JSON.stringify(accountBody(secrets)).slice(0, -1) })
  await ask('POST', '/v1/accounts', { body: accountBody({ ...secrets, baseUrl: 'http://127.0.0.1:1' }) })
  await ask('POST', '/v1/accounts', { body: accountBody(secrets) })
  await ask('PATCH', '/v1/accounts/main', { body: { ...secrets, x: secrets.password } })
  await ask('PATCH', '/v1/accounts/main', { body: secrets })
  await ask('POST', '/v1/accounts/main/challenge', { body: { method: 'totp', code: 'canary-code' } })
  await ask('POST', '/v1/accounts/main/login')
  await ask('POST', '/v1/uploads', { body: uploadBody(await api.file('a.vrcw')) })
  for (const url of [
    '/v1/accounts',
    '/v1/accounts/main',
    '/v1/uploads',
    '/v1/accounts/main/files',
    '/nothing',
  ]) {
    await ask('GET', url)
  }
  for (const url of ['/dashboard', '/dashboard/api/queues', '/dashboard/api/redis/stats', '/openapi.json']) {
    await ask('GET', url)
  }

  expect(seen).toHaveLength(19)
  expect(seen.join('\n')).not.toMatch(/canary/i)
  expect(api.logged()).not.toMatch(/canary/i)
  expect(api.logged()).not.toContain(api.token)
  const stored = await api.stores.redis.hgetall(api.stores.keys.account('main'))
  expect(JSON.stringify(stored)).not.toMatch(/canary/i)
})
