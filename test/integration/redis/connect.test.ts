import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'

import { type ConnectOptions, connectRedis, waitForRedis } from '#shared/redis/connect.ts'

import { startRedisProxy } from '../../support/redis-proxy.ts'
import { startTestRedis } from '../../support/redis.ts'

function connect(url: string, options: Pick<ConnectOptions, 'role'> & Partial<ConnectOptions>): Redis {
  const redis = connectRedis(url, { name: 'test', ...options })
  onTestFinished(() => redis.disconnect())
  return redis
}

test('connections carry our name', async () => {
  await using server = await startTestRedis()
  const redis = connect(server.url, { role: 'worker', name: 'worker' })

  expect(await redis.client('GETNAME')).toBe('stevedore-worker')
})

test("a worker's command waits for a Redis that is away, and is answered within moments of its return", async () => {
  await using server = await startTestRedis({ aof: true })
  const redis = connect(server.url, { role: 'worker' })
  await redis.set('key', 'value')

  await server.kill()
  const answer = redis.get('key')
  await server.restart()

  expect(await answer).toBe('value')
})

test("the API's command fails at once while Redis is away, and works again afterwards", async () => {
  await using server = await startTestRedis()
  const redis = connect(server.url, { role: 'api' })
  await waitForRedis(redis, 5_000)

  await server.kill()
  const started = performance.now()
  await expect(redis.ping()).rejects.toThrow(Error)
  await expect(redis.ping()).rejects.toThrow(Error)

  expect(performance.now() - started).toBeLessThan(4_500)
  await server.restart()
  await waitForRedis(redis, 5_000)
  expect(await redis.ping()).toBe('PONG')
})

test("the API's command gives up on a Redis that takes it and never answers", async () => {
  await using server = await startTestRedis()
  await using proxy = await startRedisProxy(server.url)
  const redis = connect(proxy.url, { role: 'api' })
  await waitForRedis(redis, 5_000)
  proxy.loseReplies()

  const started = performance.now()
  await expect(redis.ping()).rejects.toThrow('timed out')

  expect(performance.now() - started).toBeLessThan(7_000)
})

test.for(['worker', 'api'] as const)(
  'a wrong password (%s) is told by its reason, and stays out of sight',
  async (role) => {
    await using server = await startTestRedis()
    const admin = connect(server.url, { role: 'worker' })
    await admin.config('SET', 'requirepass', 'right')
    const lines: string[] = []
    const redis = connect(server.url.replace('//', '//:hunter2@'), { role, log: (line) => lines.push(line) })

    const error = await waitForRedis(redis, 500).catch((error: unknown) => error)

    expect(error).toMatchObject({ message: expect.stringContaining('WRONGPASS') })
    expect(JSON.stringify([lines, error, Object.entries(error ?? {})])).not.toContain('hunter2')
    expect(lines[0]).toMatch(/^Redis at 127\.0\.0\.1:\d+: WRONGPASS/)
  },
)

test('trouble that goes on is logged once, and its end too', async () => {
  await using server = await startTestRedis()
  const lines: string[] = []
  const redis = connect(server.url, { role: 'worker', log: (line) => lines.push(line) })
  await waitForRedis(redis, 5_000)
  const noticed = once(redis, 'close')
  await server.kill()
  await noticed
  // Several tries to connect are made by then.
  await expect(waitForRedis(redis, 500)).rejects.toThrow('ECONNREFUSED')

  await server.restart()
  await waitForRedis(redis, 5_000)

  expect(lines).toEqual([expect.stringContaining('ECONNREFUSED'), expect.stringMatching(/is back$/)])
})

test('TLS is spoken where the address says so', async () => {
  let greeting = ''
  const listener = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      greeting ||= bytes.subarray(0, 2).toString('hex')
      socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void listener.close())
  await once(listener, 'listening')
  const address = listener.address()
  const port = typeof address === 'object' ? address?.port : undefined

  const redis = connect(`rediss://127.0.0.1:${port}`, { role: 'api' })
  await expect(waitForRedis(redis, 500)).rejects.toThrow('can not be used')

  // A TLS handshake record.
  expect(greeting).toBe('1603')
})
