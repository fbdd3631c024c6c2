import { setTimeout as sleep } from 'node:timers/promises'
import { untilEnded, wrongWithCompleted } from './end-state.ts'
import { openService } from './service.ts'
import type { Sent, Service, ServiceOptions } from './service.ts'
import { sideBySide } from './side-by-side.ts'
import { openSpares, startHost } from './worker-processes.ts'
import type { Host } from './worker-processes.ts'

/** How many uploads die with one process, each at its own point: a start of a process costs more than they do. */
const PER_VICTIM = 6
const VICTIMS_AT_ONCE = 3
const ENDS_WITHIN_MS = 90_000

/** Holds a worker at one point of one upload, until it has been killed there. */
export interface Trap extends AsyncDisposable {
  /** Where the worker to be killed finds its Redis. */
  readonly redisUrl?: string
  /** Called when that worker is up, before the upload is accepted. */
  readonly begin?: () => void
  readonly reached: Promise<unknown>
  /** What was held goes on, without the worker that it was held for. */
  readonly release: () => void
}

export interface Sweep<Point> {
  readonly service: ServiceOptions
  readonly size: number
  readonly describe: (point: Point) => string
  readonly lay: (point: Point, service: Service) => Promise<Trap>
}

export interface Swept {
  /** Points that no worker came to, since the upload completed before. */
  readonly missed: string[]
  readonly wrong: string[]
}

/** Kills a worker at each of the points, has another one go on, and answers all that is not as it must be. */
export async function sweep<Point>(points: readonly Point[], plan: Sweep<Point>): Promise<Swept> {
  await using spares = openSpares(VICTIMS_AT_ONCE)
  await using other = startHost()
  const groups = Array.from({ length: Math.ceil(points.length / PER_VICTIM) }, (_, index) =>
    points.slice(index * PER_VICTIM, (index + 1) * PER_VICTIM),
  )
  const results = await sideBySide(groups, VICTIMS_AT_ONCE, async (group) => {
    await using victim = spares.take()
    return await killTogether(group, { plan, victim, other })
  })
  const flat = results.flat()
  return { missed: flat.flatMap(({ missed }) => missed), wrong: flat.flatMap(({ wrong }) => wrong) }
}

interface Cast<Point> {
  readonly plan: Sweep<Point>
  readonly victim: Host
  readonly other: Host
}

async function killTogether<Point>(points: readonly Point[], cast: Cast<Point>): Promise<Swept[]> {
  const { plan, victim, other } = cast
  await using resources = new AsyncDisposableStack()
  const doomed = await Promise.all(
    points.map(async (point) => {
      const service = resources.use(await openService(plan.service))
      const trap = resources.use(await plan.lay(point, service))
      const { env } = service.machine
      await victim.start({ ...env, REDIS_URL: trap.redisUrl ?? service.machine.boot.redisUrl })
      trap.begin?.()
      const sent = await service.upload(plan.size)
      const ended = untilEnded(service, sent, ENDS_WITHIN_MS)
      const missed = await Promise.race([
        trap.reached.then(() => false),
        // Its last act may still be on its way.
        ended.then(async () => sleep(300, true)),
      ])
      return { point: plan.describe(point), service, trap, sent, missed }
    }),
  )
  await victim.kill()
  return await Promise.all(
    doomed.map(async ({ point, service, trap, sent, missed }) => {
      trap.release()
      const wrong = await goOn(service, sent, other)
      return { missed: missed ? [point] : [], wrong: wrong.map((what) => `${point}: ${what}`) }
    }),
  )
}

async function goOn(service: Service, sent: Sent, other: Host): Promise<string[]> {
  const stop = await other.start(service.machine.env)
  const late = await untilEnded(service, sent, ENDS_WITHIN_MS)
  const wrong = await wrongWithCompleted(service, sent, 1)
  await stop()
  return [...late, ...wrong]
}
