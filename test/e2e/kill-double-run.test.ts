import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { HookEvent } from '../fakes/vrchat/server.ts'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../support/kill/service.ts'
import type { Sent, Service } from '../support/kill/service.ts'
import { startHost } from '../support/kill/worker-processes.ts'

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
  'a worker frozen at $request, $phase, while another one goes on, does no harm when it wakes up $thaw',
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
