import { rm } from 'node:fs/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { startTestRedis } from '../../support/redis.ts'
import type { TestRedis } from '../../support/redis.ts'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { HEAVY_MS, LONG_MS, startOther } from './stage.ts'

/** Of this file alone: its memory is looked at. */
let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis({ aof: true })
})
afterAll(async () => server[Symbol.asyncDispose]())

const PLACES = 4

/** Uploads that end in every way there is, to the same few destinations each time. */
async function useIt(service: Service, times: number): Promise<void> {
  const worker = await service.startWorker()
  const ids: string[] = []
  for (let time = 0; time < times; time += 1) {
    for (let place = 0; place < PLACES; place += 1) {
      const name = `${place}.vrca`
      const request = { destination: { name }, partSize: 40 * KIB }
      ids.push(await service.upload({ name, content: 200 * KIB, request }))
      // The same once more, which is skipped; one that is called off; one whose source is gone.
      ids.push(await service.upload({ name, request }))
      ids.push(await service.upload({ name, request }))
      await service.stores.uploads.want(ids.at(-1) ?? '', 'cancel')
      ids.push(await service.upload({ name: 'gone.vrca', content: 1, request }))
      await rm(`${service.machine.folder}/gone.vrca`)
    }
    await Promise.all(ids.map((id) => service.until(id)))
  }
  // Only now: what has no job any more can not be sent, nor seen as completed.
  await eventually(async () => isIdle(service), LONG_MS)
  await worker[Symbol.asyncDispose]()
}

async function isIdle({ stores: { queues } }: Service): Promise<boolean> {
  const counts = await Promise.all([queues.uploads, queues.parts].map(async (queue) => queue.getJobCounts()))
  return counts.every(({ active, waiting, delayed, prioritized, 'waiting-children': parents }) =>
    [active, waiting, delayed, prioritized, parents].every((count) => count === 0),
  )
}

/** A worker to which everything that ended is too old; gone again when all of that is. */
async function forget(service: Service): Promise<void> {
  const { redis, keys, queues } = service.stores
  const short = { STEVEDORE_RETAIN_UPLOADS_MS: '0', STEVEDORE_RETAIN_JOBS_MS: '0' }
  await using _strict = await startOther(service, short)
  const jobs = async (): Promise<number> =>
    (await queues.uploads.getJobCountByTypes('completed', 'failed')) +
    (await queues.parts.getJobCountByTypes('completed', 'failed'))
  await eventually(async () => (await redis.zcard(keys.ended)) + (await jobs()) === 0, LONG_MS)
}

/** BullMQ's own, of a few entries each: counts of the last hour, and what workers see that there are jobs by. */
const COMES_AND_GOES = /:(metrics:\w+|metrics:\w+:data|marker|stalled)$/

/** Every key that stays until somebody removes it, and its bytes. */
async function lasting(redis: Redis): Promise<Record<string, number>> {
  const found = (await redis.keys('*')).filter((key) => !COMES_AND_GOES.test(key)).toSorted()
  const sizes: Record<string, number> = {}
  for (const key of found) {
    if ((await redis.pttl(key)) === -1) sizes[key] = Number(await redis.memory('USAGE', key, 'SAMPLES', 0))
  }
  return sizes
}

async function usedMemory(redis: Redis): Promise<number> {
  const info = await redis.info('memory')
  return z.coerce.number().parse(/used_memory:(\d+)/.exec(info)?.[1])
}

const isStream = (key: string): boolean => key.endsWith(':events')
const bytesOf = (sizes: Record<string, number>, ofStreams: boolean): number =>
  Object.entries(sizes).reduce((sum, [key, size]) => (isStream(key) === ofStreams ? sum + size : sum), 0)

test(
  'after retention Redis holds the keys and the memory that it held before, and the ledger',
  { timeout: HEAVY_MS },
  async () => {
    const env = { STEVEDORE_RETAIN_VERSIONS: '1', STEVEDORE_RETAIN_EVENTS: '100' }
    await using service = await openService({ redisUrl: server.url, env, workers: 0 })
    const { redis, keys, uploads } = service.stores
    await useIt(service, 1)
    await forget(service)
    const before = await lasting(redis)
    const memoryBefore = await usedMemory(redis)

    await useIt(service, 3)
    const peak = await lasting(redis)
    await forget(service)
    const after = await lasting(redis)

    expect(Object.keys(peak).length).toBeGreaterThan(Object.keys(before).length + 3 * PLACES * 10)
    expect(Object.keys(after)).toEqual(Object.keys(before))
    expect(bytesOf(after, false)).toBeLessThan(bytesOf(before, false) * 1.1)
    const grown = bytesOf(peak, false) - bytesOf(before, false)
    const left = (await usedMemory(redis)) - memoryBefore - (bytesOf(after, true) - bytesOf(before, true))
    expect(left).toBeLessThan(grown / 2)
    expect(await uploads.list({}, { limit: 10 })).toEqual([])

    // What stays is counted by settings, whole nodes of 100 events at a time.
    const versions = Object.keys(after).filter((key) => key.startsWith(`${keys.prefix}:versions:`))
    expect(versions).toHaveLength(PLACES)
    for (const key of versions) expect(await redis.llen(key)).toBe(1)
    expect(await redis.xlen(`${keys.prefix}:events`)).toBeLessThan(220)
  },
)
