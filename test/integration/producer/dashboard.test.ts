import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { registerToken } from '#shared/data-dir.ts'
import { type Answer, type Api, openApi } from './api.ts'

const open = () => openApi(inject('redisUrl'))

async function logIn(api: Api, token: string): Promise<Answer> {
  return api.askUnknown('POST', '/dashboard/login', {
    body: new URLSearchParams({ token }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
}

const cookieOf = (answer: Answer): string => String(answer.headers['set-cookie']).split(';')[0] ?? ''

describe('logging in', () => {
  test('without a session a browser gets the form, and a program a 401', async () => {
    await using api = await open()

    const page = await api.askUnknown('GET', '/dashboard', { headers: { accept: 'text/html' } })
    const data = await api.askUnknown('GET', '/dashboard/api/queues')

    expect(page.status).toBe(401)
    expect(page.text).toMatch('<form method="post" action="/dashboard/login">')
    expect(page.headers['content-security-policy']).toMatch("default-src 'none'")
    expect(data).toMatchObject({ status: 401, json: { error: 'Log in at /dashboard' } })
  })

  test('the token opens a session that the page can neither read nor send elsewhere', async () => {
    await using api = await open()

    const answer = await logIn(api, api.token)

    expect(answer).toMatchObject({ status: 303, headers: { location: '/dashboard' } })
    expect(answer.headers['set-cookie']).toMatch(/Path=\/dashboard; HttpOnly; SameSite=Strict/)
    expect(answer.headers['set-cookie']).not.toContain(api.token)
    const cookie = cookieOf(answer)
    expect((await api.askUnknown('GET', '/dashboard', { headers: { cookie } })).text).toMatch('Stevedore')
    expect((await api.askUnknown('GET', '/dashboard/api/queues', { headers: { cookie } })).status).toBe(200)
  })

  test.each(['', 'wrong', '<script>'])('%j opens nothing', async (token) => {
    await using api = await open()

    const answer = await logIn(api, token)

    expect(answer.status).toBe(401)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(answer.text).toMatch('This is not the token')
    expect(answer.text).not.toContain('<script>')
  })

  test('the session opens the dashboard only', async () => {
    await using api = await open()
    const cookie = cookieOf(await logIn(api, api.token))

    expect((await api.askUnknown('GET', '/v1/uploads', { headers: { cookie } })).status).toBe(401)
  })

  test('it ends with its token, with logging out, and when it is changed', async () => {
    await using api = await open()
    const cookie = cookieOf(await logIn(api, api.token))
    const look = async (cookie: string) =>
      (await api.askUnknown('GET', '/dashboard/api/queues', { headers: { cookie } })).status

    const out = await api.askUnknown('GET', '/dashboard/logout', { headers: { cookie } })
    expect(out.headers['set-cookie']).toMatch(/stevedore_session=;.*Expires=Thu, 01 Jan 1970/)
    expect(await look(`${cookie.slice(0, -3)}abc`)).toBe(401)
    expect(await look(cookie)).toBe(200)

    const dataDir = join(api.folder, '.data')
    await registerToken(api.stores.redis, {
      prefix: api.prefix,
      dataDir,
      token: 'another-token-of-32-characters-x',
    })
    expect(await look(cookie)).toBe(401)
  })
})

test('nothing can be changed, by whomever', async () => {
  await using api = await open()
  const cookie = cookieOf(await logIn(api, api.token))
  const { uploads } = api.stores.queues
  const job = await uploads.add('a', { upload: 'upl_a' }, { jobId: 'upl_a-r1' })

  const writes = [
    ['PUT', '/dashboard/api/queues/pause'],
    ['PUT', '/dashboard/api/queues/upload/pause'],
    ['PUT', '/dashboard/api/queues/upload/empty'],
    ['PUT', '/dashboard/api/queues/upload/obliterate'],
    ['PUT', `/dashboard/api/queues/upload/${job.id}/clean`],
    ['POST', '/dashboard/api/queues/upload/add'],
    ['PATCH', `/dashboard/api/queues/upload/${job.id}/update-data`],
  ] as const
  for (const [method, url] of writes) {
    const answer = await api.askUnknown(method, url, { body: {}, headers: { cookie } })
    expect({ url, status: answer.status }).toEqual({ url, status: 405 })
  }

  expect(await uploads.isPaused()).toBe(false)
  expect(await job.getState()).toBe('waiting')
})

test('parts stand under their upload, with names for people, and secrets are blanked', async () => {
  await using api = await open()
  const { queues } = api.stores
  await queues.addUploads([{ id: 'upl_a', run: 1, fileName: 'World.vrcw' }])
  const parent = { id: 'upl_a-r1', queue: queues.uploads.qualifiedName }
  await queues.parts.add(
    'World.vrcw · part 1 of 2',
    { upload: 'upl_a', epoch: 1, blob: 'file', number: 1 },
    { jobId: 'upl_a-e1-file-1', parent },
  )
  const job = await queues.uploads.getJob('upl_a-r1')
  await job?.log('PUT https://storage.test/a?X-Amz-Signature=canary with auth=authcookie_canary')

  const flow = await api.ask('GET', '/dashboard/api/queues/upload/upl_a-r1/flow')
  const logs = await api.ask('GET', '/dashboard/api/queues/upload/upl_a-r1/logs')

  expect(flow.json).toMatchObject({
    flowRoot: { name: 'World.vrcw', children: [{ name: 'World.vrcw · part 1 of 2', queueName: 'part' }] },
  })
  expect(logs.text).toMatch('storage.test')
  expect(logs.text).not.toMatch('canary')
})
