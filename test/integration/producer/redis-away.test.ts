import { expect, inject, test } from 'vitest'
import { startRedisProxy } from '../../support/redis-proxy.ts'
import { openAdmin, troubles } from '../../support/redis-trouble.ts'
import { startTestRedis } from '../../support/redis.ts'
import { eventually } from '../../support/service.ts'
import { accountBody, type Ask, openApi, pathsOf, uploadBody } from './api.ts'

async function timed(ask: Ask, ...request: Parameters<Ask>) {
  const begun = performance.now()
  const answer = await ask(...request)
  return { ...answer, ms: performance.now() - begun }
}

test('while Redis is away everything is a 503 at once, and works again afterwards', async () => {
  await using redis = await startTestRedis()
  await using api = await openApi(redis.url)
  await api.ask('POST', '/v1/accounts', { body: accountBody() })
  const body = uploadBody(await api.file('a.vrcw'))
  const { json } = await api.ask('POST', '/v1/uploads', { body })
  // What bull-board opens for this must not bring the process down either.
  await api.ask('GET', '/dashboard/api/queues/upload/x/flow')

  await redis.kill()
  for (const [method, url] of [
    ['POST', '/v1/uploads'],
    ['GET', '/v1/uploads'],
    ['GET', `/v1/uploads/${String(json['id'])}`],
    ['GET', '/v1/accounts'],
    ['GET', '/dashboard'],
  ] as const) {
    const answer = await timed(api.ask, method, url, method === 'POST' ? { body } : {})
    expect({ url, status: answer.status }).toEqual({ url, status: 503 })
    expect(answer.ms).toBeLessThan(1500)
    expect(answer.headers['retry-after']).toBe('2')
    expect(answer.text).not.toMatch(/ECONN|stack|127\.0\.0\.1/)
  }
  expect((await api.askUnknown('GET', '/healthz')).status).toBe(200)
  expect((await api.askUnknown('GET', '/v1/uploads')).status).toBe(401)
  const ready = await api.askUnknown('GET', '/readyz')
  expect(ready.status).toBe(503)
  expect(pathsOf(ready)).toEqual(['redis'])

  await redis.restart()
  await eventually(async () => (await api.askUnknown('GET', '/readyz')).status === 200)
})

test('a connection that breaks in the middle of a request is a 503', async () => {
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await using api = await openApi(proxy.url)
  proxy.reset((_, name) => {
    if (name === 'HGETALL') proxy.cut()
  })

  const answer = await timed(api.ask, 'GET', '/v1/accounts/main')

  expect(answer.status).toBe(503)
})

test.for(troubles)(
  'row $row: a Redis that answers writes with $code is a 503 that says so, and nothing is half accepted',
  async ({ code, begin, end }) => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    await using api = await openApi(server.url)
    await api.ask('POST', '/v1/accounts', { body: accountBody() })
    const body = uploadBody(await api.file('a.vrcw'))
    const headers = { 'idempotency-key': 'a' }
    const keys = (await admin.keys('*')).toSorted()
    await begin(admin, server)

    const answer = await timed(api.ask, 'POST', '/v1/uploads', { body, headers })
    const keysAfter = (await admin.keys('*')).toSorted()
    const ready = await eventually(async () => {
      const { status, json } = await api.askUnknown('GET', '/readyz')
      expect(status).toBe(503)
      return String(json['detail']).includes(code) && json
    })

    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
    expect(answer.json['detail']).toMatch(
      new RegExp(`^Redis takes no writes: .* \\(${code}\\)\\. Nothing was lost: try again$`),
    )
    expect(answer.ms).toBeLessThan(3000)
    expect(keysAfter).toEqual(keys)
    expect(ready['detail']).toMatch(/^Not ready: Redis takes no writes: /)
    expect((await api.askUnknown('GET', '/healthz')).status).toBe(200)

    await end(admin, server)
    await eventually(async () => (await api.askUnknown('GET', '/readyz')).status === 200)
    expect((await api.ask('POST', '/v1/uploads', { body, headers })).status).toBe(202)
  },
)

test('row 8: readiness is red, with the reasons, on a Redis that can lose uploads', async () => {
  await using redis = await startTestRedis()
  await using api = await openApi(redis.url, { allowUnsafeRedis: false })

  const answer = await api.askUnknown('GET', '/readyz')

  expect(answer.status).toBe(503)
  expect(answer.json['detail']).toMatch('AOF is off')
})
