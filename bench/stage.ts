import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createKeys } from '#shared/keys.ts'
import type { Keys } from '#shared/keys.ts'
import { startEmbedded } from '#shared/redis/embedded.ts'
import { freePort } from '#shared/redis/free-port.ts'
import { fakeProgram } from '../test/support/programs/fake.ts'
import type { FakeFacts } from '../test/support/programs/fake.ts'
import { createProcesses } from '../test/support/programs/processes.ts'
import type { Program, StartedProcess } from '../test/support/programs/processes.ts'
import { script } from '../test/support/programs/script.ts'
import { openWorkspace } from '../test/support/programs/workspace.ts'
import { GIB } from './figures.ts'
import { redisCacheDir } from './machine.ts'
import type { Bench } from './scenario.ts'

type Env = Readonly<Record<string, string>>

/** The service and what it works with, each a process of its own, and folders that go with them. */
export interface Stage extends AsyncDisposable {
  readonly redis: Redis
  readonly redisPid: number
  readonly keys: Keys
  readonly fake: StartedProcess<FakeFacts>
  readonly serve: StartedProcess<string>
  readonly token: string
  /** With flags for node, before its script. */
  readonly startWorker: (node?: readonly string[], env?: Env) => Promise<StartedProcess>
  readonly sources: string
  /** For whatever else has to be written. */
  readonly scratch: string
  /** Aborts at Ctrl-C, and when one of the processes ends that should not. */
  readonly signal: AbortSignal
}

export interface StageOptions {
  /** Flags of the fake, beside those that make it answer at once. */
  readonly fake?: readonly string[]
  /** Settings of the service, beside its defaults. */
  readonly env?: Env
}

/** Processes nothing, and keeps no bytes. */
const quickFake = ['--processing-ms', '0', '--skip-content-check', '--forget-content']

const PREFIX = '{stevedore-bench}'

/** Opens a stage without a worker; disposing it ends everything that was started there. */
export async function openStage(bench: Bench, options: StageOptions = {}): Promise<Stage> {
  await using resources = new AsyncDisposableStack()
  const workspace = resources.use(await openWorkspace({ program: 'bench', bytes: GIB, smaller: '--quick' }))
  const { sources, data, arrived, logs } = workspace
  const { signal, start } = createProcesses(logs, bench.signal)
  const startIn = async <Ready>(
    stack: AsyncDisposableStack,
    program: Program<Ready>,
  ): Promise<StartedProcess<Ready>> => {
    const started = await start(program)
    stack.defer(async () => (started.isRunning() ? started.stop() : undefined))
    return started
  }

  const { redis, url: redisUrl, pid: redisPid } = await openRedis(data, resources)
  const fake = await startIn(resources, fakeProgram(arrived, [...quickFake, ...(options.fake ?? [])]))
  const token = randomBytes(24).toString('base64url')
  const common = {
    STEVEDORE_PREFIX: PREFIX,
    STEVEDORE_DATA_DIR: data,
    STEVEDORE_SOURCE_ROOTS: sources,
    STEVEDORE_SECRET_KEY: randomBytes(32).toString('base64'),
    STEVEDORE_TOKEN: token,
    STEVEDORE_PORT: String(await freePort()),
    REDIS_URL: redisUrl,
    ...options.env,
  }
  const profileOf = (name: string): readonly string[] =>
    bench.profileDir === undefined
      ? []
      : [
          '--cpu-prof',
          `--cpu-prof-dir=${bench.profileDir}`,
          `--cpu-prof-name=${name}-${Date.now()}.cpuprofile`,
        ]
  const serve = await startIn(resources, {
    name: 'serve',
    args: [...profileOf('serve'), script('src/producer/main.ts')],
    env: common,
    ready: (log) => /"url":"(http:[^"]+)"/.exec(log)?.[1],
  })

  let workers = 0
  const owned = resources.move()
  return {
    redis,
    redisPid,
    keys: createKeys(PREFIX),
    fake,
    serve,
    token,
    startWorker: async (node = [], env = {}) =>
      startIn(owned, {
        name: `worker ${(workers += 1)}`,
        args: [...profileOf('worker'), ...node, script('src/worker/main.ts')],
        env: { ...common, ...env },
        ready: (log) => log.includes('worker runs') || undefined,
      }),
    sources,
    scratch: arrived,
    signal,
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

/** As the service's own: with an append-only file. */
async function openRedis(
  dataDir: string,
  resources: AsyncDisposableStack,
): Promise<{ redis: Redis; url: string; pid: number }> {
  const { url, stop } = await startEmbedded({ dataDir, cacheDir: redisCacheDir(), log: () => undefined })
  const redis = new Redis(url, { maxRetriesPerRequest: null, connectionName: 'bench' })
  redis.on('error', () => {})
  resources.defer(async () => {
    redis.disconnect()
    await stop()
  })
  return { redis, url, pid: Number(/^process_id:(\d+)/m.exec(await redis.info('server'))?.[1]) }
}
