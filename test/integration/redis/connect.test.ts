import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'

import { type ConnectOptions, connectRedis, waitForRedis } from '#shared/redis/connect.ts'

import { startRedisProxy } from '../../support/redis-proxy.ts'
import { openAdmin, outOfMemory, troubles } from '../../support/redis-trouble.ts'
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

test.for(troubles)(
  "row $row: a worker's commands wait while Redis answers writes with $code, on all its connections",
  async ({ begin, end, code }) => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    const lines: string[] = []
    const redis = connect(server.url, { role: 'worker', log: (line) => lines.push(line) })
    await redis.set('there', 'since long')
    const copy = redis.duplicate()
    copy.on('error', () => {})
    onTestFinished(() => copy.disconnect())
    await begin(admin, server)

    const single = redis.set('a', 1)
    const script = redis.eval("return redis.call('SET', KEYS[1], 2)", 1, 'b')
    const pipeline = redis.pipeline().set('c', 3).get('there').set('d', 4).exec()
    const blocking = copy.set('e', 5)
    const read = await redis.get('there')
    await expect.poll(() => lines.length).toBe(1)
    const before = await admin.exists('a', 'b', 'c', 'd', 'e')
    await end(admin, server)

    expect([read, before]).toEqual(['since long', 0])
    expect(await Promise.all([single, script, blocking])).toEqual(['OK', 'OK', 'OK'])
    expect((await pipeline)?.map(([error]) => error)).toEqual([null, null, null])
    expect(await redis.mget('a', 'b', 'c', 'd', 'e')).toEqual(['1', '2', '3', '4', '5'])
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`takes no writes: .*\\(${code}\\)`)),
      expect.stringMatching(/takes writes again$/),
    ])
  },
)

test('row 11: after a failover nobody waits for a blocking read, which was refused first and then blocks again', async () => {
  await using server = await startTestRedis({ aof: true })
  using admin = openAdmin(server)
  const redis = connect(server.url, { role: 'worker' })
  await redis.set('a', 1)
  const copy = redis.duplicate()
  copy.on('error', () => {})
  onTestFinished(() => copy.disconnect())
  const reading = copy.bzpopmin('nothing', 60)
  reading.catch(() => {})
  await expect.poll(async () => await admin.client('LIST')).toContain('cmd=bzpopmin')

  await admin.replicaof('127.0.0.1', 1)
  const written = redis.set('a', 2)
  await expect.poll(async () => await admin.get('a')).toBe('1')
  await admin.replicaof('NO', 'ONE')

  expect(await Promise.race([written, sleep(20_000, 'still waits')])).toBe('OK')
})

test('a connection that was lost while a script kept Redis busy is there again afterwards', async () => {
  await using server = await startTestRedis({ aof: true })
  using admin = openAdmin(server)
  const lines: string[] = []
  const redis = connect(server.url, { role: 'worker', log: (line) => lines.push(line) })
  await redis.set('a', 1)
  await admin.config('SET', 'lua-time-limit', '100')
  const other = admin.duplicate()
  onTestFinished(() => other.disconnect())
  const script = other.eval(
    "local t = redis.call('TIME')[1]; while redis.call('TIME')[1] - t < 3 do end; return 1",
    0,
  )
  await expect.poll(async () => admin.get('a').catch(String)).toContain('BUSY')
  const written = redis.set('a', 2)
  await expect.poll(() => lines.length).toBe(1)
  redis.disconnect(true)
  await script

  expect(await Promise.race([written, sleep(20_000, 'still waits')])).toBe('OK')
})

test('a command that can never be done fails at once, also while others wait', async () => {
  await using server = await startTestRedis()
  using admin = openAdmin(server)
  const redis = connect(server.url, { role: 'worker' })
  await redis.lpush('list', 'x')
  await outOfMemory.begin(admin, server)
  const waiting = redis.set('a', 1)

  await expect(redis.zcard('list')).rejects.toThrow('WRONGTYPE')

  await outOfMemory.end(admin, server)
  expect(await waiting).toBe('OK')
})

test('commands that wait fail when their connection is closed', async () => {
  await using server = await startTestRedis()
  using admin = openAdmin(server)
  const lines: string[] = []
  const redis = connect(server.url, { role: 'worker', log: (line) => lines.push(line) })
  await waitForRedis(redis, 5_000)
  await outOfMemory.begin(admin, server)
  const waiting = [redis.set('a', 1), redis.set('b', 1)]
  await expect.poll(() => lines.length).toBe(1)

  redis.disconnect()

  for (const command of waiting) await expect(command).rejects.toThrow('Connection is closed')
})

test("the API's command does not wait for a Redis that takes no writes", async () => {
  await using server = await startTestRedis()
  using admin = openAdmin(server)
  const redis = connect(server.url, { role: 'api' })
  await waitForRedis(redis, 5_000)
  await outOfMemory.begin(admin, server)

  await expect(redis.set('a', 1)).rejects.toThrow('OOM')
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
