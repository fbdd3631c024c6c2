import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import type { HookEvent } from '../fakes/vrchat/server.ts'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../support/kill/service.ts'
import type { Sent, Service } from '../support/kill/service.ts'
import { startHost } from '../support/kill/worker-processes.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { createGate } from '../support/service.ts'

interface Freeze {
  readonly request: string
  readonly phase: HookEvent['phase']
}

/** Stops the first worker in the middle of a request until another one has taken its job over. */
async function frozenAt({ request, phase }: Freeze, service: Service, thaw: 'soon' | 'late'): Promise<Sent> {
  const { fake, machine } = service
  await using frozen = startHost()
  await using other = startHost()
  const name = createNamer()
  const stopped = Promise.withResolvers<void>()
  fake.hooks.onRequest = (event) => {
    if (name(event) !== request || event.phase !== phase) return
    frozen.send('SIGSTOP')
    stopped.resolve()
  }
  await frozen.start(machine.env)
  const sent = await service.upload(4 * PART_SIZE)
  await stopped.promise

  const runs = machine.stores.keys.runs(sent.id)
  const before = await machine.stores.redis.hvals(runs)
  await other.start(machine.env)
  const takenOver = async (): Promise<boolean> =>
    (await machine.stores.redis.hvals(runs)).some((instance) => !before.includes(instance))
  while (!(await takenOver())) await sleep(10)
  if (thaw === 'late') await untilEnded(service, sent, 30_000)
  frozen.send('SIGCONT')

  expect(before).not.toEqual([])
  expect(await untilEnded(service, sent, 30_000)).toEqual([])
  // What the late one still has to say is refused, not only late.
  await sleep(1000)
  return sent
}

test.concurrent.for<Freeze & { thaw: 'soon' | 'late' }>([
  { request: 'createFile #1', phase: 'before-reply', thaw: 'soon' },
  { request: 'createFileVersion #1', phase: 'before-reply', thaw: 'soon' },
  { request: 'putPart file 2 #1', phase: 'arrival', thaw: 'soon' },
  { request: 'putPart file 2 #1', phase: 'arrival', thaw: 'late' },
  { request: 'putPart file 2 #1', phase: 'before-reply', thaw: 'late' },
  { request: 'finishFileDataUpload file #1', phase: 'arrival', thaw: 'soon' },
  { request: 'finishFileDataUpload file #1', phase: 'before-reply', thaw: 'soon' },
  { request: 'finishFileDataUpload signature #1', phase: 'before-reply', thaw: 'late' },
  { request: 'getFile #1', phase: 'before-reply', thaw: 'soon' },
])(
  'rows 14, 47: a worker frozen at $request, $phase, while another one goes on, does no harm when it wakes up $thaw',
  async ({ thaw, ...freeze }) => {
    await using service = await openService({
      fake: { storageBytesPerSecond: 4 * PART_SIZE, processingMs: 200 },
    })

    const sent = await frozenAt(freeze, service, thaw)

    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
    expect(mostPartsAtOnce(service)).toBeLessThanOrEqual(service.partsAtOnce)
    const { parts, uploads } = service.machine.stores
    const record = await uploads.read(sent.id)
    const receipts = record && (await parts.receipts(record, 'file'))
    expect([...(receipts?.keys() ?? [])].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
  },
)

/** I8: the account's limit holds over both workers. */
function mostPartsAtOnce({ fake }: Service): number {
  const puts = fake.ledger.filter(({ operation }) => operation === 'putPart')
  const underWay = (at: number): number =>
    puts.filter(({ time, endedAt = Infinity }) => time <= at && at < endedAt).length
  return Math.max(...puts.map(({ time }) => underWay(time)))
}

test.concurrent('rows 11, 14: a worker frozen right before it finishes a blob leaves that to who has the job now', async () => {
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await using service = await openService({ fake: { processingMs: 200 } })
  const { machine, fake } = service
  await using frozen = startHost()
  await using other = startHost()
  const stopped = Promise.withResolvers<void>()
  const { passed, open } = createGate()
  const partsSent = new Set<number>()
  fake.hooks.onRequest = ({ operation, fileType, partNumber, phase }) => {
    const isPart = operation === 'putPart' && fileType === 'file' && phase === 'arrival'
    if (isPart && partNumber !== undefined) partsSent.add(partNumber)
  }
  // The first that asks to call the provider when all parts were sent is about to finish the file.
  let isStopped = false
  proxy.reset(async (_, name, args) => {
    // What it hears of its locks when it wakes up is late.
    if (isStopped && renewsLocks(args)) await sleep(1000)
    if (partsSent.size < 4 || name !== 'EVALSHA' || !isAcquireOfCall(args) || isStopped) return
    isStopped = true
    frozen.send('SIGSTOP')
    stopped.resolve()
    await passed
  })
  await frozen.start({ ...machine.env, REDIS_URL: proxy.url })
  const sent = await service.upload(4 * PART_SIZE)
  await stopped.promise

  const finishesOfOne = finishes(service)
  await other.start(machine.env)
  expect(await untilEnded(service, sent, 45_000)).toEqual([])
  open()
  frozen.send('SIGCONT')
  // What it still has to say to the provider, it says now.
  await sleep(2500)

  expect(finishesOfOne).toEqual([])
  expect(finishes(service)).toEqual(['file', 'signature'])
  expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
})

/** `acquire` is the one script that is given a kind of lease and how many there may be. */
const isAcquireOfCall = (args: readonly string[]): boolean =>
  args.some((arg, index) => arg === 'calls' && /:\d+$/.test(args[index + 1] ?? '') && args[index + 2] === '1')

/** BullMQ's script for all of its locks at once has their queue's `stalled` for its first key. */
const renewsLocks = (args: readonly string[]): boolean => args[2]?.endsWith(':stalled') === true

const finishes = ({ fake }: Service): (string | undefined)[] =>
  fake.ledger.filter(({ operation }) => operation === 'finishFileDataUpload').map(({ fileType }) => fileType)
