import { describe, expect, inject, test } from 'vitest'
import { startFakeVrchat } from '../../fakes/vrchat/server.ts'
import type { FakeVrchat, FakeVrchatOptions } from '../../fakes/vrchat/server.ts'
import { accountBody, type Api, itemsOf, openApi, textOf, uploadBody } from './api.ts'

const password = 'lovelace-1815'

interface Stage extends AsyncDisposable {
  readonly api: Api
  readonly fake: FakeVrchat
}

/** An API, and a fake VRChat that its account `main` belongs to. */
async function open(
  options: FakeVrchatOptions = {},
  fields: Readonly<Record<string, unknown>> = {},
): Promise<Stage> {
  await using resources = new AsyncDisposableStack()
  const users = [{ username: 'ada', password }]
  const fake = resources.use(await startFakeVrchat({ users, ...options }))
  const api = resources.use(await openApi(inject('redisUrl')))
  const { status } = await api.ask('POST', '/v1/accounts', {
    body: accountBody({
      baseUrl: fake.baseUrl,
      username: 'ada',
      password,
      limits: { callSpacingMs: 0 },
      ...fields,
    }),
  })
  expect(status).toBe(201)
  const owned = resources.move()
  return { api, fake, [Symbol.asyncDispose]: async () => owned.disposeAsync() }
}

const totp = (secret: string): FakeVrchatOptions => ({
  users: [
    { username: 'ada', password, secondFactor: { kind: 'totp', secret }, recoveryCodes: ['abcd-1234'] },
  ],
})
const emailed: FakeVrchatOptions = {
  users: [{ username: 'ada', password, secondFactor: { kind: 'emailOtp', code: '123456' } }],
}

describe('logging in', () => {
  test('makes the account ready', async () => {
    await using stage = await open()
    await stage.api.stores.accounts.setState('main', 'needs-login')

    const answer = await stage.api.ask('POST', '/v1/accounts/main/login')

    expect(answer).toMatchObject({ status: 200, json: { id: 'main', state: 'ready' } })
  })

  test('a stored TOTP secret answers by itself', async () => {
    const secret = 'JBSWY3DPEHPK3PXP'
    await using stage = await open(totp(secret), { totpSecret: secret })

    const answer = await stage.api.ask('POST', '/v1/accounts/main/login')

    expect(answer).toMatchObject({ status: 200, json: { state: 'ready' } })
    expect(answer.text).not.toContain(secret)
  })

  test('asks for a code, and goes on once it was handed in', async () => {
    await using stage = await open(emailed)
    const { ask } = stage.api

    const asked = await ask('POST', '/v1/accounts/main/login')
    const wrong = await ask('POST', '/v1/accounts/main/challenge', {
      body: { method: 'emailOtp', code: '000000' },
    })
    const between = await ask('GET', '/v1/accounts/main')
    const right = await ask('POST', '/v1/accounts/main/challenge', {
      body: { method: 'emailOtp', code: '123456' },
    })

    expect(asked).toMatchObject({ status: 200, json: { state: 'needs-2fa', challengeMethods: ['emailOtp'] } })
    expect(wrong).toMatchObject({ status: 422, json: { detail: 'VRChat refused the code' } })
    expect(between.json).toMatchObject({ state: 'needs-2fa', challengeMethods: ['emailOtp'] })
    expect(right).toMatchObject({ status: 200, json: { state: 'ready', challengeMethods: [] } })
    expect((await ask('GET', '/v1/accounts/main/files')).status).toBe(200)
  })

  test('with a wrong password needs a person, who may try again at once', async () => {
    await using stage = await open({}, { password: 'wrong-password' })
    const { ask } = stage.api

    const refused = await ask('POST', '/v1/accounts/main/login')
    const state = (await ask('GET', '/v1/accounts/main')).json['state']
    await ask('PATCH', '/v1/accounts/main', { body: { password } })
    const again = await ask('POST', '/v1/accounts/main/login')

    expect(refused).toMatchObject({ status: 409, json: { state: 'needs-login' } })
    expect(refused.text).not.toContain('wrong-password')
    expect(state).toBe('needs-login')
    expect(again).toMatchObject({ status: 200, json: { state: 'ready' } })
  })

  test('an imported cookie that is dead needs a person', async () => {
    await using stage = await open(
      {},
      { username: undefined, password: undefined, authCookie: 'authcookie_dead' },
    )

    const answer = await stage.api.ask('POST', '/v1/accounts/main/login')

    expect(answer).toMatchObject({ status: 409, json: { state: 'needs-login' } })
  })

  test('a code without a login is refused', async () => {
    await using stage = await open()

    const answer = await stage.api.ask('POST', '/v1/accounts/main/challenge', {
      body: { method: 'totp', code: '1' },
    })

    expect(answer.status).toBe(422)
  })

  test('the body of a challenge is checked', async () => {
    await using stage = await open()

    expect((await stage.api.ask('POST', '/v1/accounts/main/challenge')).status).toBe(422)
    expect((await stage.api.ask('POST', '/v1/accounts/main/challenge', { body: { code: 1 } })).status).toBe(
      422,
    )
  })
})

describe('what the provider answers has its status', () => {
  test('a pause is a 429 that says how long', async () => {
    await using stage = await open()
    const headers = { 'retry-after': '7' }
    stage.fake.faults.add({ operation: 'getFiles', action: { kind: 'status', status: 429, headers } })

    const answer = await stage.api.ask('GET', '/v1/accounts/main/files')

    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '7' } })
    expect((await stage.api.ask('GET', '/v1/accounts/main')).json['parked']).not.toBeNull()
  })

  test('nobody there is a 502', async () => {
    await using stage = await open({}, { baseUrl: 'http://127.0.0.1:1' })

    expect((await stage.api.ask('POST', '/v1/accounts/main/login')).status).toBe(502)
  })
})

describe('files', () => {
  test('are listed, shown, and downloaded byte for byte', async () => {
    await using stage = await open()
    const { api, fake } = stage
    const bytes = Buffer.from('the bytes of a world')
    const id = fake.seedFile({ name: 'Großer "Wald"', extension: '.vrcw' })
    await fake.seedVersion(id, { file: bytes })

    const list = await api.ask('GET', '/v1/accounts/main/files?n=10')
    const shown = await api.ask('GET', `/v1/accounts/main/files/${id}`)
    const content = await api.app.inject({
      url: `/v1/accounts/main/files/${id}/versions/1/content`,
      headers: { authorization: `Bearer ${api.token}` },
    })

    expect(itemsOf(list)[0]).toMatchObject({ id, name: 'Großer "Wald"' })
    expect(shown.json).toMatchObject({
      id,
      versions: [{ number: 1, status: 'complete', size: bytes.length }],
    })
    expect(content.statusCode).toBe(200)
    expect(content.rawPayload).toEqual(bytes)
    expect(content.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(bytes.length),
      'content-disposition': expect.stringMatching(/^attachment; filename="[ -~]*"; filename\*=UTF-8''/),
    })
  })

  test('that are not there are 404', async () => {
    await using stage = await open()
    const { ask } = stage.api
    const none = '/v1/accounts/main/files/file_00000000-0000-4000-8000-000000000001'

    expect((await ask('GET', none)).status).toBe(404)
    expect((await ask('DELETE', none)).status).toBe(404)
    expect((await ask('GET', `${none}/versions/1/content`)).status).toBe(404)
    expect((await ask('DELETE', '/v1/accounts/main/files/no-id')).status).toBe(422)
    expect(await ask('GET', `/v1/accounts/main/files/${'x'.repeat(6001)}`)).toMatchObject({
      status: 422,
      json: { errors: [{ path: 'file' }] },
    })
  })

  test('have versions and places only as VRChat has them', async () => {
    await using stage = await open()
    const { api, fake } = stage
    const id = fake.seedFile({ name: 'A' })
    await fake.seedVersion(id, {})
    const versions = `/v1/accounts/main/files/${id}/versions`

    expect((await api.ask('GET', `${versions}/kYLmTq/content`)).status).toBe(422)
    expect((await api.ask('DELETE', `${versions}/kYLmTq`)).status).toBe(422)
    expect(await api.ask('DELETE', `${versions}/a%2Fb`)).toMatchObject({
      status: 422,
      json: { errors: [{ path: 'version' }] },
    })
    const listed = await api.ask('GET', '/v1/accounts/main/files?folder=cloudreve%3A%2F%2Fmy')
    expect(listed).toMatchObject({ status: 422, json: { detail: expect.stringContaining('folder') } })
    expect((await api.ask('GET', `/v1/accounts/main/files/${id}`)).json['versions']).toHaveLength(1)
  })

  test('are removed, whole or their newest version only', async () => {
    await using stage = await open()
    const { api, fake } = stage
    const id = fake.seedFile({ name: 'A' })
    await fake.seedVersion(id, {})
    await fake.seedVersion(id, {})

    expect((await api.ask('DELETE', `/v1/accounts/main/files/${id}/versions/1`)).status).toBe(422)
    expect((await api.ask('DELETE', `/v1/accounts/main/files/${id}/versions/2`)).status).toBe(204)
    expect((await api.ask('DELETE', `/v1/accounts/main/files/${id}`)).status).toBe(204)
    expect(fake.files.filter((file) => file.id === id)).toEqual([])
  })

  test('are not removed under an upload that runs, and no upload starts in the middle of a removal', async () => {
    await using stage = await open()
    const { api, fake } = stage
    const { uploads, keys, redis, providers } = api.stores
    const id = fake.seedFile({ name: 'A' })
    const body = uploadBody(await api.file('a.vrcw'), { destination: { fileId: id } })
    const accepted = await api.ask('POST', '/v1/uploads', { body })
    const { key } = providers('vrchat').destination('main', { destination: { fileId: id } }, '')

    await redis.set(keys.destination(key), 'removal-of-someone-else', 'PX', 60_000)
    const meanwhile = await uploads.dispatch(10)
    const second = await api.ask('DELETE', `/v1/accounts/main/files/${id}`)
    await redis.del(keys.destination(key))
    const afterwards = await uploads.dispatch(10)
    const refused = await api.ask('DELETE', `/v1/accounts/main/files/${id}`)

    expect(meanwhile).toEqual([])
    expect(second.status).toBe(409)
    expect(afterwards.map(({ id }) => id)).toEqual([accepted.json['id']])
    expect(refused).toMatchObject({ status: 409, json: { upload: textOf(accepted.json['id']) } })
    expect(fake.files.map((file) => file.id)).toContain(id)
  })

  test('a removal gives its destination back, whatever came of it', async () => {
    await using stage = await open()
    const { api, fake } = stage
    const id = fake.seedFile({ name: 'A' })
    stage.fake.faults.add({ operation: 'deleteFile', action: { kind: 'status', status: 400 } })

    expect((await api.ask('DELETE', `/v1/accounts/main/files/${id}`)).status).toBe(422)
    fake.faults.clear()
    expect((await api.ask('DELETE', `/v1/accounts/main/files/${id}`)).status).toBe(204)
  })
})
