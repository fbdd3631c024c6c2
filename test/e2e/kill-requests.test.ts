import { expect, test } from 'vitest'
import type { HookEvent } from '../fakes/vrchat/server.ts'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { createNamer, KIB, openService, PART_SIZE } from '../support/kill/service.ts'
import { sideBySide } from '../support/kill/side-by-side.ts'
import { openSpares, startHost } from '../support/kill/worker-processes.ts'
import type { Host } from '../support/kill/worker-processes.ts'

const SIZE = 4 * PART_SIZE + 17 * KIB
const AT_ONCE = 8
const phases = ['arrival', 'before-reply', 'after-reply'] as const

// Long enough that the first look finds it unfinished and the second one complete, in every run.
const fake = { processingMs: 200 }
// A login whose process died in it is made anew as soon as its lock is gone, and not half an hour later.
const env = { STEVEDORE_LOGIN_BUDGET_MS: '1000' }

interface Point {
  readonly request: string
  readonly phase: HookEvent['phase']
}

async function requestsOfOneUpload(): Promise<string[]> {
  await using service = await openService({ fake, env })
  const name = createNamer()
  const requests = new Set<string>()
  service.fake.hooks.onRequest = (event) => void requests.add(name(event))
  await using _worker = await service.machine.startWorker()
  const sent = await service.upload(SIZE)
  expect(await untilEnded(service, sent, 30_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 0)).toEqual([])
  return [...requests]
}

/** What is wrong after a worker was killed at that point and another one went on. */
async function killedAt({ request, phase }: Point, victim: Host, other: Host): Promise<string[]> {
  await using service = await openService({ fake, env })
  const name = createNamer()
  const { promise: killed, resolve } = Promise.withResolvers<'killed'>()
  service.fake.hooks.onRequest = async (event) => {
    if (name(event) !== request || event.phase !== phase) return
    delete service.fake.hooks.onRequest
    await victim.kill()
    resolve('killed')
  }
  await victim.start(service.machine.env)
  const sent = await service.upload(SIZE)
  const missed = untilEnded(service, sent, 60_000).then(() => 'missed' as const)
  if ((await Promise.race([killed, missed])) === 'missed') return ['no such request was made']

  const stop = await other.start(service.machine.env)
  const late = await untilEnded(service, sent, 60_000)
  await stop()
  return [...late, ...(await wrongWithCompleted(service, sent, 1))]
}

test('a worker may be killed at any request of an upload, and another one completes it', { timeout: 600_000 }, async () => {
  const requests = await requestsOfOneUpload()
  const points = requests.flatMap((request) => phases.map((phase) => ({ request, phase })))
  await using spares = openSpares(4)
  await using other = startHost()

  const wrong = await sideBySide(points, AT_ONCE, async (point) => {
    await using victim = spares.take()
    return (await killedAt(point, victim, other)).map((what) => `${point.request}, ${point.phase}: ${what}`)
  })

  // Login, File, version, 5 + 1 starts and parts, 2 finishes, 2 looks.
  expect(requests.length).toBeGreaterThanOrEqual(19)
  expect(wrong.flat()).toEqual([])
})
