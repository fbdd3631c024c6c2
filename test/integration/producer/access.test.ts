import { describe, expect, inject, test } from 'vitest'
import { z } from 'zod'
import { registerToken } from '#shared/data-dir.ts'
import { join } from 'node:path'
import { type Api, asking, openApi } from './api.ts'

const open = (options = {}) => openApi(inject('redisUrl'), options)

const openapi = z.object({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ security: z.array(z.unknown()).optional() })),
  ),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
})

const describeApi = async (api: Api) => openapi.parse((await api.askUnknown('GET', '/openapi.json')).json)

describe('without a token', () => {
  test.each(['/healthz', '/readyz', '/openapi.json', '/docs', '/docs/json', '/docs/static/swagger-ui.css'])(
    '%s is open',
    async (url) => {
      await using api = await open()

      expect((await api.askUnknown('GET', url)).status).toBe(200)
    },
  )

  test('everything else is closed, known or not', async () => {
    await using api = await open()
    const { paths } = await describeApi(api)
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method, path.replaceAll(/\{\w+\}/g, 'x1')] as const),
    )
    const closed = [
      ...documented.filter(([, path]) => path.startsWith('/v1/')),
      ...['/', '/nowhere', '/v1', '/dashboard', '/dashboard/', '/dashboard/logout', '/favicon.ico'].map(get),
      ...['/dashboard/api/queues', '/dashboard/static/favicon.ico', '/dashboard/queue/upload'].map(get),
      ...['/docs/../v1/uploads', '//docs', '/docs%2f..%2fv1/uploads', '/healthz/x'].map(get),
      ['put', '/dashboard/api/queues/pause'],
      ['post', '/healthz'],
    ] as const

    expect(documented.length).toBeGreaterThan(18)
    for (const [method, url] of closed) {
      const { statusCode } = await api.app.inject({ method: z.enum(methods).parse(method), url, payload: {} })
      expect({ method, url, statusCode }).toEqual({ method, url, statusCode: 401 })
    }
  })

  test.each(['Bearer wrong-token-wrong-token', 'Basic abc', 'Bearer', 'Bearer a b', 'wrong'])(
    '%j is none',
    async (authorization) => {
      await using api = await open()

      const answer = await api.askUnknown('GET', '/v1/uploads', { headers: { authorization } })

      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toBe('Bearer')
      expect(answer.text).not.toContain('wrong')
    },
  )
})

const methods = ['get', 'post', 'patch', 'put', 'delete'] as const
const get = (url: string) => ['get', url] as const

test('a token that was replaced no longer opens anything', async () => {
  await using api = await open()
  const [dataDir, token] = [join(api.folder, '.data'), 'another-token-of-32-characters-x']

  await registerToken(api.stores.redis, { prefix: api.prefix, dataDir, token })

  expect((await api.ask('GET', '/v1/uploads')).status).toBe(401)
  expect((await asking(api.app, token)('GET', '/v1/uploads')).status).toBe(200)
})

test('unknown addresses are 404, wrong methods 405', async () => {
  await using api = await open()

  const wrong = await api.ask('PUT', '/v1/uploads/upl_x?a=b')

  expect((await api.ask('GET', '/v1/nothing')).status).toBe(404)
  expect(wrong).toMatchObject({ status: 405, headers: { allow: 'GET' } })
})

describe('listening on loopback', () => {
  test.each(['localhost:7070', '127.0.0.1', '[::1]:7070', 'LOCALHOST'])('answers as %s', async (host) => {
    await using api = await open()

    expect((await api.ask('GET', '/v1/uploads', { headers: { host } })).status).toBe(200)
  })

  test.each(['evil.example', 'localhost.evil.example:7070', '127.0.0.1.nip.io'])(
    'not as %s',
    async (host) => {
      await using api = await open()

      expect((await api.ask('GET', '/v1/uploads', { headers: { host } })).status).toBe(421)
      expect((await api.ask('GET', '/healthz', { headers: { host } })).status).toBe(421)
    },
  )

  test('elsewhere every name will do', async () => {
    await using api = await open({ host: '0.0.0.0' })

    expect((await api.ask('GET', '/v1/uploads', { headers: { host: 'stevedore.lan' } })).status).toBe(200)
  })
})

test('the description names every answer and needs no request to be guessed', async () => {
  await using api = await open()

  const { openapi: version, paths, components } = await describeApi(api)

  expect(version).toBe('3.1.0')
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining([
      '/v1/uploads',
      '/v1/uploads/{id}',
      '/v1/uploads/{id}/parts',
      '/v1/uploads/{id}/cancel',
      '/v1/uploads/{id}/retry',
      '/v1/versions',
      '/v1/accounts',
      '/v1/accounts/{id}',
      '/v1/accounts/{id}/login',
      '/v1/accounts/{id}/challenge',
      '/v1/accounts/{id}/files',
      '/v1/accounts/{id}/files/{file}',
      '/v1/accounts/{id}/files/{file}/versions/{version}',
      '/v1/accounts/{id}/files/{file}/versions/{version}/content',
      '/healthz',
      '/readyz',
    ]),
  )
  expect(Object.keys(paths).some((path) => path.startsWith('/dashboard') || path.startsWith('/docs'))).toBe(
    false,
  )
  expect(Object.keys(components.schemas)).toEqual(expect.arrayContaining(['Problem', 'Upload', 'Account']))
  const references = JSON.stringify(paths).matchAll(/#\/components\/schemas\/(\w+)/g)
  for (const [, name = ''] of references) expect(components.schemas).toHaveProperty(name)
  expect(JSON.stringify(paths['/v1/uploads']?.['post'])).toMatch(/fileId.*onUnchanged.*idempotency-key/s)
})
