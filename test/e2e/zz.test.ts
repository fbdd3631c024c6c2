import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../support/kill/service.ts'
import { spawnWorker, startHost } from '../support/kill/worker-processes.ts'
import { startTestRedis } from '../support/redis.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { inject } from 'vitest'

const slow = { storageBytesPerSecond: 2 * PART_SIZE }

test.concurrent('S1 login crash with the default budget', async () => {
  await using service = await openService()
  await using victim = startHost()
  const killed = Promise.withResolvers<void>()
  service.fake.hooks.onRequest = async (e) => { if (e.operation === 'login' && e.phase === 'before-reply') { delete service.fake.hooks.onRequest; await victim.kill(); killed.resolve() } }
  await victim.start(service.machine.env)
  const sent = await service.upload(PART_SIZE)
  await killed.promise
  await using other = startHost()
  await other.start(service.machine.env)
  const late = await untilEnded(service, sent, 30_000)
  const account = await service.machine.stores.accounts.read('main')
  console.log('S1', account?.state, account?.stateReason)
  expect(late).toEqual([])
})

test.concurrent('S5 budget 0', async () => {
  await using service = await openService({ env: { STEVEDORE_LOGIN_BUDGET_MS: '0' } })
  await using other = startHost()
  await other.start(service.machine.env)
  const sent = await service.upload(PART_SIZE)
  expect(await untilEnded(service, sent, 10_000)).toEqual([])
})

test.concurrent.for([true, false])('S9 SIGTERM while Redis is away, with work: %s', async (work) => {
  await using redis = await startTestRedis({ aof: true })
  await using service = await openService({ redisUrl: redis.url, fake: slow, env: { STEVEDORE_GRACE_MS: '1000' } })
  await using worker = await spawnWorker(service.machine.env)
  if (work) {
    const sent = await service.upload(12 * PART_SIZE)
    await service.machine.until(sent.id, (r) => r.partsDone >= 2)
  }
  await redis.kill()
  await sleep(300)
  const at = Date.now()
  worker.send('SIGTERM')
  const end = await Promise.race([worker.ended, sleep(20_000, 'still there')])
  console.log('S9', work, end, Date.now() - at)
  expect(end).toBe(0)
})

test.concurrent.for([1000, 4000])('S15 redis outage of %s ms under a living worker', async (ms) => {
  await using redis = await startTestRedis({ aof: true })
  await using service = await openService({ redisUrl: redis.url, fake: slow })
  await using _worker = await spawnWorker(service.machine.env)
  const sent = await service.upload(12 * PART_SIZE)
  await service.machine.until(sent.id, (r) => r.partsDone >= 3)
  await redis.kill()
  await sleep(ms)
  await redis.restart()
  expect(await untilEnded(service, sent, 40_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})

test.concurrent.for([1000, 4000])('S15b partition of %s ms between one worker and redis', async (ms) => {
  await using service = await openService({ fake: slow })
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await using _worker = await spawnWorker({ ...service.machine.env, REDIS_URL: proxy.url })
  const sent = await service.upload(12 * PART_SIZE)
  await service.machine.until(sent.id, (r) => r.partsDone >= 3)
  proxy.refuse()
  await sleep(ms)
  proxy.accept()
  expect(await untilEnded(service, sent, 40_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})

test.concurrent.for(['putPart file 3 #1', 'finishFileDataUpload file #1', 'createFileVersion #1'])('S16 the only worker is frozen at %s', async (point) => {
  await using service = await openService({ fake: slow })
  await using worker = startHost()
  const name = createNamer()
  const stopped = Promise.withResolvers<void>()
  service.fake.hooks.onRequest = (e) => { if (name(e) === point && e.phase === 'arrival') { worker.send('SIGSTOP'); stopped.resolve() } }
  await worker.start(service.machine.env)
  const sent = await service.upload(6 * PART_SIZE)
  await stopped.promise
  await sleep(3000)
  worker.send('SIGCONT')
  expect(await untilEnded(service, sent, 40_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})
