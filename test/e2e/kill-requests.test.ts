import { expect, test } from 'vitest'
import type { HookEvent } from '../fakes/vrchat/server.ts'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { createNamer, KIB, openService, PART_SIZE } from '../support/kill/service.ts'
import type { Service } from '../support/kill/service.ts'
import { sweep } from '../support/kill/sweep.ts'
import type { Trap } from '../support/kill/sweep.ts'

const SIZE = 4 * PART_SIZE + 17 * KIB
const PHASES = ['arrival', 'before-reply', 'after-reply'] as const

const options = {
  // Long enough that the first look finds it unfinished and the second one complete, in every run.
  fake: { processingMs: 200 },
  // A login whose process died in it is made anew when its lock is gone, and not half an hour later.
  env: { STEVEDORE_LOGIN_BUDGET_MS: '1000' },
}

interface Point {
  readonly request: string
  readonly phase: HookEvent['phase']
}

async function requestsOfOneUpload(): Promise<string[]> {
  await using service = await openService(options)
  const name = createNamer()
  const requests = new Set<string>()
  service.fake.hooks.onRequest = (event) => void requests.add(name(event))
  await using _worker = await service.machine.startWorker()
  const sent = await service.upload(SIZE)
  expect(await untilEnded(service, sent, 30_000)).toEqual([])
  expect(await wrongWithCompleted(service, sent, 0)).toEqual([])
  return [...requests]
}

async function lay({ request, phase }: Point, { fake }: Service): Promise<Trap> {
  const name = createNamer()
  const reached = Promise.withResolvers<void>()
  const killed = Promise.withResolvers<void>()
  fake.hooks.onRequest = async (event) => {
    if (name(event) !== request || event.phase !== phase) return
    delete fake.hooks.onRequest
    reached.resolve()
    await killed.promise
  }
  return {
    reached: reached.promise,
    release: killed.resolve,
    [Symbol.asyncDispose]: async () => killed.resolve(),
  }
}

test(
  'a worker may be killed at any request of an upload, and another one completes it',
  { timeout: 600_000 },
  async () => {
    const requests = await requestsOfOneUpload()
    const points = requests.flatMap((request) => PHASES.map((phase) => ({ request, phase })))

    const { missed, wrong } = await sweep<Point>(points, {
      service: options,
      size: SIZE,
      describe: ({ request, phase }) => `${request}, ${phase}`,
      lay,
    })

    // Login, File, version, 5 + 1 starts and parts, 2 finishes, 2 looks.
    expect(requests.length).toBeGreaterThanOrEqual(19)
    expect(wrong).toEqual([])
    expect(missed).toEqual([])
  },
)
