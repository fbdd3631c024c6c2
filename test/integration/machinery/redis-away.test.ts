import { setTimeout as sleep } from 'node:timers/promises'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { KIB, openService } from '../../support/service.ts'
import { startTestRedis } from '../../support/redis.ts'
import { startRedisProxy } from '../../support/redis-proxy.ts'

const content = randomBytes(1024 * KIB)
const slowly = { fake: { storageBytesPerSecond: 150 * KIB } }

test('row 11: a Redis that answers nobody for some seconds in mid-transfer costs time, and no byte of the result', async () => {
  await using redis = await startTestRedis({ aof: true })
  await using service = await openService({ redisUrl: redis.url, workers: 2, ...slowly })
  const id = await service.upload({ name: 'a.vrcw', content })
  await service.until(id, ({ partsDone }) => partsDone >= 2)
  await service.stores.redis.call('CLIENT', 'PAUSE', '3000', 'ALL')

  const record = await service.until(id)
  expect(record).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  expect((await service.fake.bytesOf(record.version?.remoteId ?? '', 1, 'file')).equals(content)).toBe(true)
  expect(service.fake.openVersions()).toEqual([])
  expect(service.fake.violations).toEqual([])
})

test('row 5: a Redis that is killed and started again in mid-transfer is waited for', async () => {
  await using redis = await startTestRedis({ aof: true })
  await using service = await openService({ redisUrl: redis.url, workers: 2, ...slowly })
  const id = await service.upload({ name: 'a.vrcw', content })
  await service.until(id, ({ partsDone }) => partsDone >= 2)
  await redis.kill()
  await sleep(2000)
  await redis.restart()

  const record = await service.until(id)
  expect(record).toMatchObject({ state: 'completed', version: { number: 1 } })
  expect((await service.fake.bytesOf(record.version?.remoteId ?? '', 1, 'file')).equals(content)).toBe(true)
  expect(service.fake.openVersions()).toEqual([])
})

test('row 11: connections that are cut again and again only make it slower', async () => {
  await using redis = await startTestRedis({ aof: true })
  await using proxy = await startRedisProxy(redis.url)
  await using service = await openService({ redisUrl: proxy.url, ...slowly })
  const id = await service.upload({ name: 'a.vrcw', content })
  await service.until(id, ({ partsDone }) => partsDone >= 2)
  for (let cuts = 0; cuts < 5; cuts += 1) {
    proxy.cut()
    await sleep(400)
  }
  const record = await service.until(id)
  expect(record).toMatchObject({ state: 'completed', version: { number: 1 } })
  expect((await service.fake.bytesOf(record.version?.remoteId ?? '', 1, 'file')).equals(content)).toBe(true)
})
