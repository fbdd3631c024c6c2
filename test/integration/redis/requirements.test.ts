import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'

import { clockSkewMs, requireSafeRedis } from '#shared/redis/requirements.ts'

import { startTestRedis } from '../../support/redis.ts'

const refuse = { allowUnsafe: false, log: () => {} }

test('a Redis that keeps everything is accepted', async () => {
  await using server = await startTestRedis({ aof: true })

  await expect(requireSafeRedis(client(server.url), refuse)).resolves.toBeUndefined()
})

test('row 8: all that is wrong is said at once, each with what to do', async () => {
  await using server = await startTestRedis()
  const redis = client(server.url)
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await redis.replicaof('127.0.0.1', 1)

  const refusal = await requireSafeRedis(redis, refuse).catch((error: unknown) => String(error))

  expect(refusal).toContain('AOF is off, so its end would lose accepted uploads: set `appendonly yes`')
  expect(refusal).toContain(
    'maxmemory-policy is allkeys-lru, which drops records when memory is short: set it to noeviction',
  )
  expect(refusal).toContain('it is a replica: use the address of the primary')
  expect(refusal).toContain('STEVEDORE_ALLOW_UNSAFE_REDIS=true')
})

test('row 8: the override accepts it, and says loudly what can happen', async () => {
  await using server = await startTestRedis()
  const lines: string[] = []

  await requireSafeRedis(client(server.url), { allowUnsafe: true, log: (line) => lines.push(line) })

  expect(lines).toEqual([expect.stringMatching(/^UNSAFE REDIS[^]*AOF is off/)])
})

test.for([
  ['redis_version:6.0.16', 'it is version 6.0.16: use Redis 6.2 or later, or Valkey'],
  ['redis_version:5.0.7', 'it is version 5.0.7'],
  ['some_version:1', 'it is version unknown'],
] as const)('row 8: %s is refused', async ([version, problem]) => {
  const redis = await reporting(version)

  await expect(requireSafeRedis(redis, refuse)).rejects.toThrow(problem)
})

test.for([
  'redis_version:6.2.0',
  'redis_version:8.2.1',
  'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1',
  'redis_version:10.0.0',
])('%s is recent enough, also when it forbids CONFIG', async (version) => {
  const redis = await reporting(version)

  await expect(requireSafeRedis(redis, refuse)).resolves.toBeUndefined()
})

test("Redis's clock on this machine is ours", async () => {
  await using server = await startTestRedis()

  expect(Math.abs(await clockSkewMs(client(server.url)))).toBeLessThan(50)
})

test('a clock that runs ahead is noticed, with its sign', async () => {
  const redis = await reporting('redis_version:7.2.4', { aheadMs: 60_000 })

  expect(await clockSkewMs(redis)).toBeGreaterThan(59_000)
  expect(await clockSkewMs(redis)).toBeLessThan(61_000)
})

/** A client of a server that only knows INFO and TIME, as no version of the real one answers on demand. */
async function reporting(version: string, { aheadMs = 0 } = {}): Promise<Redis> {
  const info = [version, 'loading:0', 'aof_enabled:1', 'maxmemory_policy:noeviction', 'role:master'].join(
    '\r\n',
  )
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (command) => {
      for (const [name = ''] of command
        .toString()
        .matchAll(/(?<=\r\n)(hello|client|info|time|config)(?=\r\n)/gi)) {
        socket.write(answer(name.toLowerCase()))
      }
    })
  })
  const answer = (name: string): string => {
    const seconds = String(Math.floor((Date.now() + aheadMs) / 1_000))
    if (name === 'info') return `$${info.length}\r\n${info}\r\n`
    if (name === 'time') return `*2\r\n$${seconds.length}\r\n${seconds}\r\n$1\r\n0\r\n`
    return `-ERR unknown command '${name.toUpperCase()}'\r\n`
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The fake does not listen')
  const redis = client(`redis://127.0.0.1:${address.port}`)
  onTestFinished(() => void server.close())
  return redis
}

function client(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => null, disableClientInfo: true })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  return redis
}
