import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'

import { type OnCommand, startRedisProxy } from '../../support/redis-proxy.ts'
import { startTestRedis } from '../../support/redis.ts'

async function setup() {
  const server = await startTestRedis()
  const proxy = await startRedisProxy(server.url)
  const direct = new Redis(server.url)
  const redis = new Redis(proxy.url, { retryStrategy: () => 20, maxRetriesPerRequest: 0 })
  redis.on('error', () => {})
  await redis.ping()
  proxy.reset()
  onTestFinished(async () => {
    redis.disconnect()
    direct.disconnect()
    await proxy[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  return { proxy, direct, redis }
}

test('counts and names commands, pipelined, split over packets, and with any bytes in them', async () => {
  const { proxy, redis, direct } = await setup()
  const seen: Parameters<OnCommand>[] = []
  proxy.reset((...command) => void seen.push(command))

  await redis.pipeline().set('a', 'x\r\n*1\r\n').incr('n').exec()
  await redis.set('big', 'é'.repeat(200_000))

  expect(seen.map(([n, name]) => [n, name])).toEqual([
    [1, 'SET'],
    [2, 'INCR'],
    [3, 'SET'],
  ])
  expect(proxy.count()).toBe(3)
  expect(await direct.get('a')).toBe('x\r\n*1\r\n')
  expect(await direct.get('big')).toBe('é'.repeat(200_000))
})

test('a cut before the n-th command keeps it from Redis', async () => {
  const { proxy, redis, direct } = await setup()
  proxy.reset((n) => {
    if (n === 3) proxy.cut()
  })

  await redis.set('a', 1)
  await redis.set('b', 1)
  await expect(redis.set('c', 1)).rejects.toThrow(Error)

  expect((await direct.keys('*')).toSorted()).toEqual(['a', 'b'])
})

test('a cut before the n-th of many commands sent together lets the earlier ones take effect', async () => {
  const { proxy, redis, direct } = await setup()
  proxy.reset((n) => {
    if (n === 3) proxy.cut()
  })

  await Promise.allSettled(['a', 'b', 'c', 'd'].map((key) => redis.set(key, 1)))

  await expect.poll(async () => (await direct.keys('*')).toSorted()).toEqual(['a', 'b'])
})

test('with replies lost, commands arrive and nobody hears of it', async () => {
  const { proxy, redis, direct } = await setup()
  proxy.loseReplies()

  const answer = redis.set('a', 1)
  await expect.poll(() => direct.get('a')).toBe('1')
  proxy.cut()

  await expect(answer).rejects.toThrow(Error)
  await expect.poll(() => redis.get('a').catch(() => undefined)).toBe('1')
})

test('parted, nothing goes either way and no connection ends, until it heals', async () => {
  const { proxy, redis, direct } = await setup()
  let isAnswered = false
  proxy.part()

  const answer = redis.set('a', 1).then((text) => {
    isAnswered = true
    return text
  })
  await direct.ping()
  const seen = [await direct.get('a'), isAnswered, redis.status]
  proxy.heal()

  expect(seen).toEqual([null, false, 'ready'])
  expect(await answer).toBe('OK')
  expect(await direct.get('a')).toBe('1')
})

test('refuses, accepts again, and delays', async () => {
  const { proxy, redis } = await setup()
  proxy.refuse()
  await expect(redis.ping()).rejects.toThrow(Error)

  proxy.accept()
  await expect.poll(() => redis.ping().catch(() => undefined)).toBe('PONG')

  proxy.delay(100)
  const started = performance.now()
  await redis.ping()
  expect(performance.now() - started).toBeGreaterThan(95)
})
