import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { startEmbedded } from '#shared/redis/embedded.ts'
import { freePort } from '#shared/redis/free-port.ts'
import { createProcesses } from '../test/support/programs/processes.ts'
import { ownCacheDir } from '../test/support/programs/cache-dir.ts'
import { fakeProgram } from '../test/support/programs/fake.ts'
import type { FakeFacts } from '../test/support/programs/fake.ts'
import { chunkSizeOf } from './files.ts'
import { script } from '../test/support/programs/script.ts'
import type { StartedProcess } from '../test/support/programs/processes.ts'
import { type Screen, seconds } from '../test/support/programs/screen.ts'
import type { Workspace } from '../test/support/programs/workspace.ts'

/** All that takes part in the demo, running. */
export interface Stage extends AsyncDisposable {
  readonly redis: Redis
  readonly fake: FakeFacts
  /** The service's HTTP API. */
  readonly url: string
  readonly token: string
  readonly workers: readonly StartedProcess[]
  /** Aborts at Ctrl-C, and when one of the processes ends that should not. */
  readonly signal: AbortSignal
}

interface Options {
  readonly workspace: Workspace
  readonly partSize: number
  readonly screen: Screen
  readonly signal: AbortSignal
}

/** Starts Redis, the fakes, the service and two workers; disposing stops them in the opposite order. */
export async function openStage({
  workspace,
  partSize,
  screen,
  signal: interrupted,
}: Options): Promise<Stage> {
  await using resources = new AsyncDisposableStack()
  const { signal, start } = createProcesses(workspace.logs, interrupted)
  const show = (name: string, pid: number, what: string): void =>
    screen.line(`  ${name.padEnd(10)} ${screen.paint('dim', `pid ${String(pid).padEnd(7)}`)} ${what}`)

  const stopping = sayStopping(screen)

  const { redis, url: redisUrl } = await openRedis({ workspace, screen, show, stopping, resources })
  const run = async <Ready>(program: Parameters<typeof start<Ready>>[0]): Promise<StartedProcess<Ready>> => {
    const started = await start(program)
    resources.defer(async () => {
      if (started.isRunning()) await stopping(started.name, started.stop)
    })
    return started
  }

  const fake = await run({
    ...fakeProgram(workspace.arrived, [`--cloudreve-chunk-size=${chunkSizeOf(partSize)}`]),
    name: 'fakes',
  })
  show('fakes', fake.pid, `a VRChat with storage, ${fake.ready.baseUrl}`)
  screen.line(`${' '.repeat(25)}a Cloudreve with stores, ${fake.ready.cloudreve.baseUrl}`)

  const token = randomBytes(24).toString('base64url')
  const env = {
    ...environment(workspace),
    REDIS_URL: redisUrl,
    STEVEDORE_TOKEN: token,
    STEVEDORE_PORT: String(await freePort()),
  }
  const service = await run({
    name: 'service',
    args: [script('src/producer/main.ts')],
    env,
    ready: (log) => /"url":"(http:[^"]+)"/.exec(log)?.[1],
  })
  show('service', service.pid, `the HTTP API, ${service.ready}`)

  const workers: StartedProcess[] = []
  for (const name of ['worker 1', 'worker 2']) {
    const worker = await run({ name, args: [script('src/worker/main.ts')], env, ready: saysThatItRuns })
    show(name, worker.pid, 'hashes and sends')
    workers.push(worker)
  }

  const owned = resources.move()
  return {
    redis,
    fake: fake.ready,
    url: service.ready,
    token,
    workers,
    signal,
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

const saysThatItRuns = (log: string): true | undefined => log.includes('worker runs') || undefined

/** What the demo's keys in Redis begin with. */
export const PREFIX = '{stevedore-demo}'

const environment = ({ data, sources }: Workspace): Record<string, string> => ({
  STEVEDORE_PREFIX: PREFIX,
  STEVEDORE_DATA_DIR: data,
  STEVEDORE_SOURCE_ROOTS: sources,
  STEVEDORE_SECRET_KEY: randomBytes(32).toString('base64'),
})

interface RedisRoom {
  readonly workspace: Workspace
  readonly screen: Screen
  readonly show: (name: string, pid: number, what: string) => void
  readonly stopping: Stopping
  readonly resources: AsyncDisposableStack
}

async function openRedis({
  workspace,
  screen,
  show,
  stopping,
  resources,
}: RedisRoom): Promise<{ redis: Redis; url: string }> {
  const log = (message: string): void => screen.line(`  ${screen.paint('dim', message)}`)
  const { url, stop } = await startEmbedded({ dataDir: workspace.data, cacheDir: ownCacheDir(), log })
  const redis = new Redis(url, { maxRetriesPerRequest: null, connectionName: 'demo' })
  redis.on('error', () => {})
  const { name, version, pid } = factsOf(await redis.info('server'))
  resources.defer(async () => {
    redis.disconnect()
    await stopping('redis', async () => void (await stop()))
  })
  show('redis', pid, `${name} ${version}, with an append-only file`)
  return { redis, url }
}

function factsOf(info: string): { name: string; version: string; pid: number } {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const valkey = field('valkey_version')
  return {
    name: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? field('redis_version') ?? '',
    pid: Number(field('process_id')),
  }
}

type Stopping = (name: string, stop: () => Promise<void>) => Promise<void>

/** Stops one after the other, and says so. */
function sayStopping(screen: Screen): Stopping {
  let isFirst = true
  return async (name, stop) => {
    if (isFirst) screen.heading('Stopping')
    isFirst = false
    const began = performance.now()
    await stop()
    screen.line(`  ${name.padEnd(10)} stopped in ${seconds(performance.now() - began)}`)
  }
}
