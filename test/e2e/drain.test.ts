import { readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { uploadJobId } from '#shared/queues.ts'
import type { Operation } from '../fakes/vrchat/server.ts'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { openService, PART_SIZE } from '../support/kill/service.ts'
import type { Service } from '../support/kill/service.ts'
import { spawnWorker } from '../support/kill/worker-processes.ts'
import { startProgram } from '../support/processes.ts'
import type { Started } from '../support/processes.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { createGate, eventually as within } from '../support/service.ts'

/** Nobody waits for the end of this grace period: who takes so long was held up. */
const LONG_GRACE_MS = 120_000
const longGrace = {
  STEVEDORE_GRACE_MS: String(LONG_GRACE_MS),
  // Where nobody waits for a lock to expire, none may be lost because the machine is busy.
  STEVEDORE_LOCK_MS: '30000',
}
/** Far above what it takes, and far below that. */
const SOON_MS = 20_000

/** On a machine that is busy with something else. */
const eventually = async <T>(check: () => Promise<T | false>): Promise<T> => within(check, 60_000)

async function startWorker(
  { machine }: Service,
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const worker = startProgram(['src/worker/main.ts'], {
    env: { ...machine.env, STEVEDORE_LOG_LEVEL: 'info', ...env },
  })
  await worker.untilSaid('the worker runs')
  return worker
}

/** What a worker that was told to stop ended with, and how long that took. */
async function stopped(
  worker: Started,
): Promise<{ readonly code: number | string; readonly tookMs: number }> {
  const toldAt = performance.now()
  worker.signal('SIGTERM')
  const { code } = await worker.ended
  return { code, tookMs: performance.now() - toldAt }
}

/** Holds every request of this kind, from its arrival on, until the gate is opened. */
function hold(
  { fake }: Service,
  held: Operation,
): { readonly reached: Promise<void>; readonly open: () => void } {
  const reached = Promise.withResolvers<void>()
  const gate = createGate()
  fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== held || phase !== 'arrival') return
    reached.resolve()
    await gate.passed
  }
  return { reached: reached.promise, open: gate.open }
}

const unfinished = ['waiting', 'prioritized', 'delayed', 'active', 'waiting-children'] as const

/** What is left of a worker's hold on an upload, and how many attempts jobs have used that did not end yet. */
async function traces({ machine }: Service, id: string) {
  const { redis, keys, queues } = machine.stores
  const [inHand, crashed, jobs] = await Promise.all([
    redis.hlen(keys.runs(id)),
    redis.exists(`${keys.upload(id)}:crashed`),
    Promise.all([queues.uploads, queues.parts].map(async (queue) => queue.getJobs([...unfinished]))),
  ])
  return { inHand, crashed, attempts: Math.max(0, ...jobs.flat().map(({ attemptsMade }) => attemptsMade)) }
}
const NOTHING_USED = { inHand: 0, crashed: 0, attempts: 0 }

test.concurrent('row 13: a worker that has nothing to do ends at once', async () => {
  await using service = await openService({ env: longGrace })
  const worker = await startWorker(service)

  const { code, tookMs } = await stopped(worker)

  expect(code).toBe(0)
  // A second is what it takes on an idle machine.
  expect(tookMs).toBeLessThan(5000)
})

test.concurrent('row 13: parts too slow for the grace period are taken at once by another worker', async () => {
  const locks = { STEVEDORE_LOCK_MS: '60000', STEVEDORE_STALLED_MS: '30000' }
  const slow = { storageBytesPerSecond: PART_SIZE / 4 }
  await using service = await openService({ fake: slow, env: { ...locks, STEVEDORE_GRACE_MS: '300' } })
  const first = await startWorker(service)
  const { reached, open } = hold(service, 'putPart')
  const sent = await service.upload(2 * PART_SIZE)
  await reached
  await using _second = await spawnWorker(service.machine.env)

  const { code, tookMs } = await stopped(first)
  const after = await traces(service, sent.id)
  open()
  const begunAgain = await eventually(async () => (await traces(service, sent.id)).inHand > 0)

  expect({ code, begunAgain }).toEqual({ code: 0, begunAgain: true })
  expect(tookMs).toBeLessThan(SOON_MS)
  expect(after).toMatchObject({ crashed: 0, attempts: 0 })
  // Less than the minute after which a lock of a dead one could be taken.
  expect(await untilEnded(service, sent, 45_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})

test.concurrent('row 13: hashing is stopped at once, and its upload given back', async () => {
  await using service = await openService({ env: longGrace })
  const { machine } = service
  const path = join(machine.folder, 'world.vrcw')
  await writeFile(path, '')
  // Takes minutes to hash, and no room.
  await truncate(path, 64 * 2 ** 30)
  const worker = await startWorker(service)
  const request = { destination: { name: 'World' }, partSize: 2 ** 30 }
  const id = await machine.accept({ path, request })
  const signatures = join(machine.config.dataDir, 'signatures')
  const names = async (): Promise<string[]> => readdir(signatures, { recursive: true }).catch(() => [])
  await eventually(async () => (await names()).some((name) => name.endsWith('.tmp')))

  const { code, tookMs } = await stopped(worker)

  expect(code).toBe(0)
  expect(tookMs).toBeLessThan(SOON_MS)
  expect(await traces(service, id)).toEqual(NOTHING_USED)
  expect(await machine.stores.queues.uploads.getJobCounts('waiting', 'delayed')).toEqual({
    waiting: 1,
    delayed: 0,
  })
  expect((await names()).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test.concurrent('row 13: whoever waits for the provider, or for a turn, gives back at once', async () => {
  await using service = await openService({
    env: longGrace,
    fake: { processingMs: 600_000 },
    limits: { callsAtOnce: 1 },
  })
  const { machine, fake } = service
  const worker = await startWorker(service)
  const confirming = await service.upload(1000)
  await machine.until(confirming.id, ({ state }) => state === 'confirming')
  const { reached, open } = hold(service, 'createFile')
  const path = await machine.source('other.vrcw', 1000)
  const calling = await machine.accept({
    path,
    request: { destination: { name: 'Other' }, partSize: PART_SIZE },
  })
  const waiting = await machine.accept({
    path,
    request: { destination: { name: 'Third' }, partSize: PART_SIZE },
  })
  await reached
  const { redis, keys, queues } = machine.stores
  await eventually(
    async () => (await redis.hlen(keys.runs(calling))) + (await redis.hlen(keys.runs(waiting))) === 2,
  )

  worker.signal('SIGTERM')
  // Only the call that is under way is waited for. The other stands in no line any more, and waits for no time.
  await eventually(async () => (await queues.uploads.getActiveCount()) === 1)
  const states = await Promise.all(
    [calling, waiting].map(async (id) => queues.uploads.getJobState(uploadJobId(id, 1))),
  )
  open()
  const { code } = await worker.ended

  expect({ code, states: states.toSorted() }).toEqual({ code: 0, states: ['active', 'waiting'] })
  for (const id of [confirming.id, calling, waiting]) expect(await traces(service, id)).toEqual(NOTHING_USED)
  expect(fake.ledger.filter(({ operation }) => operation === 'createFile')).toHaveLength(2)
})

test.concurrent('row 13: a worker that was told to stop takes nothing more, and lets nothing more begin', async () => {
  await using service = await openService({ env: longGrace })
  const { machine, fake } = service
  const worker = await startWorker(service)
  const { reached, open } = hold(service, 'putPart')
  const sent = await service.upload(12 * PART_SIZE)
  await reached

  worker.signal('SIGTERM')
  await worker.untilSaid('stopping')
  const path = await machine.source('other.vrcw', 1000)
  const request = { destination: { name: 'Other' }, partSize: PART_SIZE }
  const later = await machine.accept({ path, request })
  // Two of its dispatch's rounds.
  await sleep(2000)
  const { state } = await machine.until(later, () => true)
  const putsBefore = fake.ledger.filter(({ operation }) => operation === 'putPart').length
  open()
  const { code } = await worker.ended
  const puts = fake.ledger.filter(({ operation }) => operation === 'putPart').length
  await using _second = await spawnWorker(machine.env)

  expect({ code, state, puts }).toEqual({ code: 0, state: 'queued', puts: putsBefore })
  expect(putsBefore).toBeLessThanOrEqual(service.partsAtOnce)
  await machine.until(later)
  expect(await untilEnded(service, sent, 45_000)).toEqual([])
  const { state: end, bytesResent } = await machine.until(sent.id)
  expect({ end, bytesResent }).toEqual({ end: 'completed', bytesResent: 0 })
})

test.concurrent('row 13: without Redis, an idle worker ends at once and says so', async () => {
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await using service = await openService({ env: longGrace })
  const worker = await startWorker(service, { REDIS_URL: proxy.url })
  proxy.refuse()
  await worker.untilSaid(`Redis at ${new URL(proxy.url).host}`)

  const { code, tookMs } = await stopped(worker)

  expect(code).toBe(0)
  expect(tookMs).toBeLessThan(SOON_MS)
  expect(worker.said()).toContain('ending without it, with nothing in hand')
})

test.concurrent('row 13: without Redis, a worker at work ends with its grace period; others take over', async () => {
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await using service = await openService({ env: { STEVEDORE_GRACE_MS: '1000', STEVEDORE_LOCK_MS: '5000' } })
  const worker = await startWorker(service, { REDIS_URL: proxy.url })
  const { reached, open } = hold(service, 'putPart')
  const sent = await service.upload(6 * PART_SIZE)
  await reached
  proxy.refuse()
  await worker.untilSaid(`Redis at ${new URL(proxy.url).host}`)

  const { tookMs } = await stopped(worker)
  open()
  await using _second = await spawnWorker(service.machine.env)

  expect(tookMs).toBeLessThan(SOON_MS)
  expect(worker.said()).toContain('What is in hand goes to other workers when its locks expire')
  expect(await untilEnded(service, sent, 45_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})
