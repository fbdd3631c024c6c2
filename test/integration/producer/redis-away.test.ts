import { expect, inject, test } from 'vitest'
import { startRedisProxy } from '../../support/redis-proxy.ts'
import { startTestRedis } from '../../support/redis.ts'
import { accountBody, type Ask, openApi, pathsOf, uploadBody } from './api.ts'

async function timed(ask: Ask, ...request: Parameters<Ask>) {
  const begun = performance.now()
  const answer = await ask(...request)
  return { ...answer, ms: performance.now() - begun }
}

const eventually = async (check: () => Promise<boolean>): Promise<void> => {
  while (!(await check())) await new Promise((resolve) => void setTimeout(resolve, 20))
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

test('a Redis that takes no more writes is a 503, and nothing is half accepted', async () => {
  await using redis = await startTestRedis()
  await using api = await openApi(redis.url)
  await api.ask('POST', '/v1/accounts', { body: accountBody() })
  const body = uploadBody(await api.file('a.vrcw'))
  await api.stores.redis.config('SET', 'maxmemory', '1')

  const answer = await api.ask('POST', '/v1/uploads', { body, headers: { 'idempotency-key': 'a' } })

  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
  expect(await api.stores.uploads.list({}, { limit: 10 })).toEqual([])
  await api.stores.redis.config('SET', 'maxmemory', '0')
  const again = await api.ask('POST', '/v1/uploads', { body, headers: { 'idempotency-key': 'a' } })
  expect(again.status).toBe(202)
})

test('readiness is red, with the reasons, on a Redis that can lose uploads', async () => {
  await using redis = await startTestRedis()
  await using api = await openApi(redis.url, { allowUnsafeRedis: false })

  const answer = await api.askUnknown('GET', '/readyz')

  expect(answer.status).toBe(503)
  expect(answer.json['detail']).toMatch('AOF is off')
})
