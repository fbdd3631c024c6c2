import { expect, test } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE, pidAtWork } from '../support/kill/service.ts'
import type { Sent, Service } from '../support/kill/service.ts'
import { spawnWorker } from '../support/kill/worker-processes.ts'
import { startTestRedis } from '../support/redis.ts'

/** A part takes a quarter of a second. */
const slow = { storageBytesPerSecond: 4 * PART_SIZE }

const untilSent = async ({ machine }: Service, { id }: Sent, parts: number): Promise<unknown> =>
  machine.until(id, ({ partsDone }) => partsDone >= parts)

test.concurrent('rows 5, 12: everything killed at once, Redis included, goes on where it was', async () => {
  await using redis = await startTestRedis({ aof: true })
  const env = { STEVEDORE_ALLOW_UNSAFE_REDIS: 'false' }
  await using service = await openService({ redisUrl: redis.url, env, fake: slow })
  await using before = await spawnWorker(service.machine.env)
  const sent = await service.upload(24 * PART_SIZE + 1)
  await untilSent(service, sent, 8)

  await Promise.all([before.kill(), redis.kill()])
  await redis.restart()
  await using _after = await spawnWorker(service.machine.env)

  expect(await untilEnded(service, sent, 60_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})

test.concurrent('row 1: with the locks of production, a killed worker is replaced by a running one', async () => {
  const env = { STEVEDORE_LOCK_MS: '6000', STEVEDORE_STALLED_MS: '3000', STEVEDORE_RECONCILE_MS: '15000' }
  await using service = await openService({ env, fake: slow, limits: { partsAtOnce: 1 } })
  await using one = await spawnWorker(service.machine.env)
  await using two = await spawnWorker(service.machine.env)
  const workers = [one, two]
  const name = createNamer()
  const atPart3 = Promise.withResolvers<void>()
  service.fake.hooks.onRequest = (event) => {
    if (name(event) === 'putPart file 3 #1') atPart3.resolve()
  }
  const sent = await service.upload(6 * PART_SIZE)
  await atPart3.promise

  const pid = await pidAtWork(service, sent.id, '-file-3')
  await workers.find((worker) => worker.pid === pid)?.kill()
  const killedAt = Date.now()
  await untilSent(service, sent, 3)
  const tookMs = Date.now() - killedAt

  expect(pid).toBeDefined()
  // 15 s are promised, and a busy machine gets three times that.
  expect(tookMs).toBeLessThan(45_000)
  expect(await untilEnded(service, sent, 45_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})

test.concurrent('row 13: a worker that is told to stop finishes the parts under way, and nothing is sent twice', async () => {
  await using service = await openService({ fake: slow })
  await using first = await spawnWorker(service.machine.env)
  const sent = await service.upload(12 * PART_SIZE)
  await untilSent(service, sent, 3)

  first.send('SIGTERM')
  const code = await first.ended
  const parts = await attemptsOfParts(service)
  const { redis, keys } = service.machine.stores
  const inHand = await redis.exists(keys.runs(sent.id), `${keys.upload(sent.id)}:crashed`)
  await using _second = await spawnWorker(service.machine.env)

  expect(code).toBe(0)
  expect({ inHand, parts }).toEqual({ inHand: 0, parts: parts.map(() => 1) })
  expect(await untilEnded(service, sent, 30_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 0)).toEqual([])
})

test.concurrent('row 13: parts that do not end within the grace period are given back without using an attempt', async () => {
  const env = { STEVEDORE_GRACE_MS: '200' }
  const fake = { storageBytesPerSecond: PART_SIZE / 2 }
  await using service = await openService({ env, fake })
  await using first = await spawnWorker(service.machine.env)
  const sent = await service.upload(4 * PART_SIZE)
  await untilSent(service, sent, 1)

  const toldAt = Date.now()
  first.send('SIGTERM')
  const code = await first.ended
  const stoppedMs = Date.now() - toldAt
  const { queues } = service.machine.stores
  const given = await queues.parts.getJobCounts('prioritized', 'waiting', 'active', 'delayed')
  await using _second = await spawnWorker(service.machine.env)

  expect(code).toBe(0)
  expect(stoppedMs).toBeLessThan(1500)
  expect(given).toMatchObject({ active: 0, delayed: 0 })
  expect(await untilEnded(service, sent, 60_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
  // The signature is small: its upload's own job sends it.
  expect(await attemptsOfParts(service)).toEqual([1, 1, 1, 1])
})

/** How many attempts each finished part has used. */
async function attemptsOfParts({ machine }: Service): Promise<number[]> {
  const jobs = await machine.stores.queues.parts.getJobs(['completed', 'failed'])
  return jobs.map(({ attemptsMade }) => attemptsMade)
}
