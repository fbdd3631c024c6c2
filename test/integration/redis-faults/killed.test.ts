import { readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { untilEnded, wrongInRedis, wrongWithCompleted } from '../../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../../support/kill/service.ts'
import type { Sent, Service } from '../../support/kill/service.ts'
import { spawnWorker } from '../../support/kill/worker-processes.ts'
import {
  aofWritten,
  calmLocks,
  mostAttempts,
  openAdmin,
  startLoggedWorker,
  untilParts,
} from '../../support/redis-trouble.ts'
import { startTestRedis } from '../../support/redis.ts'
import type { TestRedis } from '../../support/redis.ts'
import { accountBody, openApi, uploadBody } from '../producer/api.ts'

/** A busy machine may take its time. */
const timeout = 240_000
/** A part takes a quarter of a second. */
const slow = { storageBytesPerSecond: 4 * PART_SIZE }

/** What the provider is being asked for when Redis dies. */
const points = [
  { request: 'createFile #1', phase: 'before-reply' },
  { request: 'createFileVersion #1', phase: 'arrival' },
  { request: 'putPart file 2 #1', phase: 'arrival' },
  { request: 'finishFileDataUpload file #1', phase: 'before-reply' },
  { request: 'getFile #1', phase: 'arrival' },
] as const

test.concurrent.for(points)(
  'row 5: a Redis that is killed at $request, $phase, and comes back costs not more than the parts in flight',
  { timeout },
  async ({ request, phase }) => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    await using service = await openService({ redisUrl: server.url, env: calmLocks })
    await using _worker = await startLoggedWorker(service.machine)
    const name = createNamer()
    const killed = Promise.withResolvers<void>()
    service.fake.hooks.onRequest = async (event) => {
      if (name(event) !== request || event.phase !== phase) return
      await aofWritten(admin)
      killed.resolve(server.kill())
      await killed.promise
    }
    const sent = await service.upload(3 * PART_SIZE)

    await killed.promise
    await sleep(1000)
    await server.restart()

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
    expect(await mostAttempts(service)).toBe(1)
  },
)

test.concurrent(
  'row 6: with AOF `always` a killed Redis forgets nothing that was answered with 202',
  { timeout },
  async () => {
    await using server = await startTestRedis({ aof: true, fsync: 'always' })
    await using api = await openApi(server.url, { allowUnsafeRedis: false })
    await api.ask('POST', '/v1/accounts', { body: accountBody() })
    const source = await api.file('a.vrcw')
    const accepted: string[] = []
    let isAway = false
    const lane = async (): Promise<void> => {
      while (!isAway) {
        const body = uploadBody(source, { destination: { name: `World ${accepted.length}` } })
        const { status, json } = await api.ask('POST', '/v1/uploads', { body })
        if (status === 202) accepted.push(String(json['id']))
        else isAway = true
      }
    }
    const lanes = [lane(), lane(), lane(), lane()]
    while (accepted.length < 100) await sleep(1)
    await server.kill()
    await Promise.all(lanes)
    await server.restart()
    using admin = openAdmin(server)
    const known = new Set(await admin.zrange(`${api.prefix}:uploads`, '0', '-1'))

    expect(accepted.filter((id) => !known.has(id))).toEqual([])
  },
)

test.concurrent.for([
  { bytes: 5, workers: 'killed with it' },
  { bytes: 6000, workers: 'killed with it' },
  { bytes: 6000, workers: 'that live on' },
] as const)(
  'row 7: the last $bytes bytes of its AOF gone in mid-transfer, with workers $workers, the upload arrives whole',
  { timeout },
  async ({ bytes, workers }) => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    await using service = await openService({ redisUrl: server.url, env: calmLocks, fake: slow })
    await using worker = await spawnWorker(service.machine.env)
    const sent = await service.upload(10 * PART_SIZE)
    await untilParts(service.machine, sent.id, 4)
    await aofWritten(admin)

    await server.kill()
    if (workers === 'killed with it') await worker.kill()
    const { path, size } = await newestAof(server)
    await truncate(path, size - bytes)
    await server.restart()
    await using _next = await spawnWorker(service.machine.env)

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongAfterLoss(service, sent)).toEqual([])
  },
)

test.concurrent(
  'row 7: a part whose receipt is lost is sent again, though its job is completed',
  { timeout },
  async () => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    await using service = await openService({ redisUrl: server.url, env: calmLocks, fake: slow })
    const { keys, queues } = service.machine.stores
    await using _worker = await startLoggedWorker(service.machine)
    const sent = await service.upload(6 * PART_SIZE)
    await untilParts(service.machine, sent.id, 2)
    await admin
      .multi()
      .hdel(keys.parts(sent.id, 1), 'file/1')
      .hincrby(keys.upload(sent.id), 'partsDone', -1)
      .exec()
    const job = await queues.parts.getJobState(`${sent.id}-e1-file-1`)

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(job).toBe('completed')
    expect(await wrongAfterLoss(service, sent)).toEqual([])
  },
)

async function newestAof({ dir }: TestRedis): Promise<{ readonly path: string; readonly size: number }> {
  const folder = join(dir, 'appendonlydir')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.incr.aof')).toSorted()
  const path = join(folder, names.at(-1) ?? '')
  return { path, size: (await stat(path)).size }
}

/** As `wrongWithCompleted`, for a record that may have forgotten how much was sent. */
async function wrongAfterLoss(service: Service, { id, sha256 }: Sent): Promise<string[]> {
  const { fake, machine } = service
  const record = await machine.stores.uploads.read(id)
  if (record?.state !== 'completed') return [`the upload is ${JSON.stringify(record)}`]
  const arrived = await fake.sha256Of(record.version?.remoteId ?? '', 1, 'file')
  return [
    ...(arrived === sha256 ? [] : ['other bytes arrived']),
    ...(fake.files.length === 1 ? [] : [`${fake.files.length} Files`]),
    ...fake.openVersions().map((open) => `open: ${JSON.stringify(open)}`),
    ...fake.violations.map((violation) => `violation: ${JSON.stringify(violation)}`),
    ...(await wrongInRedis(service, record)),
  ]
}
