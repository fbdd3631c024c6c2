import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { HookEvent } from '../../fakes/vrchat/server.ts'
import { untilEnded, wrongWithCompleted, wrongWithEnded } from '../../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../../support/kill/service.ts'
import type { Service } from '../../support/kill/service.ts'
import {
  CALM_LOCK_MS,
  calmLocks,
  commandsDone,
  mostAttempts,
  openAdmin,
  outOfMemory,
  startLoggedWorker,
  troubles,
  untilParts,
} from '../../support/redis-trouble.ts'
import { startTestRedis } from '../../support/redis.ts'
import type { TestRedis } from '../../support/redis.ts'

/** Longer than a lock and a lease live, so that all of them are lost meanwhile. */
const LASTS_MS = CALM_LOCK_MS + 1000
/** A busy machine may take its time. */
const timeout = 240_000
/** A part takes half a second. */
const slow = { storageBytesPerSecond: 2 * PART_SIZE }

test.concurrent.for(troubles)(
  'row $row: while Redis answers every write with $code in mid-transfer nothing fails or spins, then all goes on',
  { timeout },
  async ({ begin, end, code }) => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    await using service = await openService({ redisUrl: server.url, env: calmLocks, fake: slow })
    await using worker = await startLoggedWorker(service.machine)
    const sent = await service.upload(8 * PART_SIZE)
    await untilParts(service.machine, sent.id, 2)

    const linesBefore = worker.lines().length
    await begin(admin, server)
    const before = await commandsDone(admin)
    await sleep(LASTS_MS)
    const commands = (await commandsDone(admin)) - before
    const lines = worker.lines().slice(linesBefore)
    const received = service.fake.ledger.length
    await end(admin, server)

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
    expect(received).toBeLessThan(service.fake.ledger.length)
    expect(await mostAttempts(service)).toBe(1)
    // Without pauses it is many thousands a second.
    expect(commands).toBeLessThan((500 * LASTS_MS) / 1000)
    expect(lines.length).toBeLessThan(10)
    expect(lines.filter((line) => /takes no writes: /.test(line) && line.includes(`(${code})`))).toHaveLength(
      1,
    )
    expect(worker.lines().filter((line) => line.includes('takes writes again'))).toHaveLength(1)
  },
)

/** Where in an upload Redis is full all of a sudden: while the provider is asked for this. */
const points = [
  { request: 'login #1', phase: 'arrival' },
  { request: 'createFile #1', phase: 'arrival' },
  { request: 'createFileVersion #1', phase: 'before-reply' },
  { request: 'putPart file 2 #1', phase: 'before-reply' },
  { request: 'finishFileDataUpload file #1', phase: 'before-reply' },
  { request: 'getFile #1', phase: 'before-reply' },
] as const

test.concurrent.for(points)(
  'row 9: a Redis that is full from $request, $phase, on costs time and nothing else',
  { timeout },
  async ({ request, phase }) => {
    await using server = await startTestRedis({ aof: true })
    await using service = await openService({ redisUrl: server.url, env: calmLocks })
    const full = fullFrom(service, server, (event, name) => name === request && event.phase === phase)
    await using _worker = await startLoggedWorker(service.machine)
    const sent = await service.upload(3 * PART_SIZE)

    await full

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
    expect(await mostAttempts(service)).toBe(1)
  },
)

test.concurrent(
  'row 9: a Redis that is full before a worker looks at what was accepted costs time only',
  { timeout },
  async () => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    await using service = await openService({ redisUrl: server.url, env: calmLocks })
    const sent = await service.upload(3 * PART_SIZE)
    await outOfMemory.begin(admin, server)
    // It starts as soon as it can write down what it needs to.
    const starting = startLoggedWorker(service.machine)
    await sleep(LASTS_MS)
    const requests = service.fake.ledger.length
    await outOfMemory.end(admin, server)
    await using _worker = await starting

    expect(requests).toBe(0)
    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongWithCompleted(service, sent, 0)).toEqual([])
    expect(await mostAttempts(service)).toBe(1)
  },
)

test.concurrent(
  'row 9: a Redis that is full while a cancelled upload is cleaned up costs time only',
  { timeout },
  async () => {
    await using server = await startTestRedis({ aof: true })
    await using service = await openService({ redisUrl: server.url, env: calmLocks, fake: slow })
    const full = fullFrom(
      service,
      server,
      ({ operation, phase }) => operation === 'deleteFile' && phase === 'arrival',
    )
    await using _worker = await startLoggedWorker(service.machine)
    const sent = await service.upload(4 * PART_SIZE)
    await untilParts(service.machine, sent.id, 1)
    await service.machine.stores.uploads.want(sent.id, 'cancel')

    await full

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongWithEnded(service, sent, 'cancelled')).toEqual([])
  },
)

/** Has Redis refuse writes from the first request on that is meant; resolves when it takes them again. */
async function fullFrom(
  { fake }: Service,
  server: TestRedis,
  isMeant: (event: HookEvent, name: string) => boolean,
): Promise<void> {
  using admin = openAdmin(server)
  const name = createNamer()
  const begun = Promise.withResolvers<void>()
  fake.hooks.onRequest = async (event) => {
    if (!isMeant(event, name(event))) return
    await outOfMemory.begin(admin, server)
    begun.resolve()
  }
  await begun.promise
  fake.hooks.onRequest = () => undefined
  await sleep(LASTS_MS)
  await outOfMemory.end(admin, server)
}
