import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'
import type { HookEvent } from '../../fakes/vrchat/server.ts'
import { startRedisProxy } from '../redis-proxy.ts'
import { untilEnded } from './end-state.ts'
import { createNamer, openService } from './service.ts'
import type { Sent, Service, ServiceOptions } from './service.ts'
import { sideBySide } from './side-by-side.ts'
import { openSpares, startHost } from './worker-processes.ts'
import type { Host } from './worker-processes.ts'

/** How many uploads die with one process, each at its own point: a start of a process costs more than they do. */
const PER_VICTIM = 6
const VICTIMS_AT_ONCE = 3
const ENDS_WITHIN_MS = 90_000

/** One story, to be told anew for each point at which a worker is killed in it. */
export interface Story {
  readonly service: ServiceOptions
  /** Accepts the upload. `begin` is to be called where the story begins: requests and commands count from there. */
  readonly tell: (service: Service, begin: () => void) => Promise<Sent>
  /** What is not as it must be in the end, given how many workers were killed. */
  readonly wrong: (service: Service, sent: Sent, kills: number) => Promise<string[]>
}

export interface Swept {
  readonly points: number
  /** Points that no worker came to, since the upload had ended before. */
  readonly missed: string[]
  readonly wrong: string[]
}

const PHASES = ['arrival', 'before-reply', 'after-reply'] as const

/** Kills a worker at every request of the story: on its arrival, before the reply, after it. */
export async function killAtRequests(
  story: Story,
): Promise<Swept & { readonly requests: readonly string[] }> {
  const requests = new Set<string>()
  await undisturbed(story, async ({ fake }) => ({
    begin: () => {
      const name = createNamer()
      fake.hooks.onRequest = (event) => void requests.add(name(event))
    },
  }))
  const points = [...requests].flatMap((request) =>
    PHASES.map((phase) => ({
      name: `${request}, ${phase}`,
      lay: async ({ fake }: Service) => trapRequest(fake.hooks, request, phase),
    })),
  )
  return { ...(await sweep(points, story)), requests: [...requests] }
}

/** Kills a worker before every `step`-th Redis command of the story. */
export async function killAtCommands(story: Story, step = 1): Promise<Swept> {
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await undisturbed(story, async () => ({ redisUrl: proxy.url, begin: () => proxy.reset() }))
  const commands = proxy.count()
  const points = Array.from({ length: Math.ceil(commands / step) }, (_, index) => ({
    name: `command ${1 + index * step} of ${commands}`,
    lay: async () => trapCommand(1 + index * step),
  }))
  return sweep(points, story)
}

interface Watched {
  readonly redisUrl?: string
  readonly begin: () => void
}

async function undisturbed(story: Story, watch: (service: Service) => Promise<Watched>): Promise<void> {
  await using service = await openService(story.service)
  await using worker = startHost()
  const { redisUrl, begin } = await watch(service)
  await worker.start(envOf(service, redisUrl))
  const sent = await story.tell(service, begin)
  const wrong = [
    ...(await untilEnded(service, sent, ENDS_WITHIN_MS)),
    ...(await story.wrong(service, sent, 0)),
  ]
  if (wrong.length > 0) throw new Error(`Wrong without any kill: ${wrong.join('; ')}`)
}

/** Holds a worker at one point, until it has been killed there. */
interface Trap extends Watched, AsyncDisposable {
  readonly reached: Promise<void>
  /** What was held goes on, without the worker that it was held for. */
  readonly release: () => void
}

function trapRequest(hooks: Service['fake']['hooks'], request: string, phase: HookEvent['phase']): Trap {
  const reached = Promise.withResolvers<void>()
  const killed = Promise.withResolvers<void>()
  return {
    begin: () => {
      const name = createNamer()
      hooks.onRequest = async (event) => {
        if (name(event) !== request || event.phase !== phase) return
        delete hooks.onRequest
        reached.resolve()
        await killed.promise
      }
    },
    reached: reached.promise,
    release: killed.resolve,
    [Symbol.asyncDispose]: async () => killed.resolve(),
  }
}

/** Lets no command through any more from the n-th on. */
async function trapCommand(n: number): Promise<Trap> {
  const reached = Promise.withResolvers<void>()
  const never = new Promise<void>(() => {})
  const proxy = await startRedisProxy(inject('redisUrl'))
  return {
    redisUrl: proxy.url,
    begin: () =>
      proxy.reset(async (count) => {
        if (count < n) return
        reached.resolve()
        await never
      }),
    reached: reached.promise,
    release: () => {},
    [Symbol.asyncDispose]: async () => proxy[Symbol.asyncDispose](),
  }
}

interface Point {
  readonly name: string
  readonly lay: (service: Service) => Promise<Trap>
}

interface Outcome {
  readonly missed: string[]
  readonly wrong: string[]
}

async function sweep(points: readonly Point[], story: Story): Promise<Swept> {
  await using spares = openSpares(VICTIMS_AT_ONCE)
  await using other = startHost()
  const groups = Array.from({ length: Math.ceil(points.length / PER_VICTIM) }, (_, index) =>
    points.slice(index * PER_VICTIM, (index + 1) * PER_VICTIM),
  )
  const outcomes = await sideBySide(groups, VICTIMS_AT_ONCE, async (group) => {
    await using victim = spares.take()
    return await killTogether(group, { story, victim, other })
  })
  const flat = outcomes.flat()
  return {
    points: points.length,
    missed: flat.flatMap(({ missed }) => missed),
    wrong: flat.flatMap(({ wrong }) => wrong),
  }
}

interface Cast {
  readonly story: Story
  readonly victim: Host
  readonly other: Host
}

async function killTogether(points: readonly Point[], { story, victim, other }: Cast): Promise<Outcome[]> {
  await using resources = new AsyncDisposableStack()
  const doomed = await Promise.all(
    points.map(async ({ name, lay }) => {
      const service = resources.use(await openService(story.service))
      const trap = resources.use(await lay(service))
      await victim.start(envOf(service, trap.redisUrl))
      const sent = await story.tell(service, trap.begin)
      const missed = await Promise.race([
        trap.reached.then(() => false),
        // Its last act may still be on its way.
        untilEnded(service, sent, ENDS_WITHIN_MS).then(async () => sleep(300, true)),
      ])
      return { name, service, trap, sent, missed }
    }),
  )
  await victim.kill()
  return await Promise.all(
    doomed.map(async ({ name, service, trap, sent, missed }) => {
      trap.release()
      const stop = await other.start(service.machine.env)
      const late = await untilEnded(service, sent, ENDS_WITHIN_MS)
      const wrong = [...late, ...(await story.wrong(service, sent, 1))]
      await stop()
      return { missed: missed ? [name] : [], wrong: wrong.map((what) => `${name}: ${what}`) }
    }),
  )
}

const envOf = ({ machine }: Service, redisUrl: string | undefined): Record<string, string> => ({
  ...machine.env,
  REDIS_URL: redisUrl ?? machine.boot.redisUrl,
})
