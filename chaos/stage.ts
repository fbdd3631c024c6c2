import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '#shared/redis/free-port.ts'
import type { Canary } from '../test/support/canaries.ts'
import { ownCacheDir } from '../test/support/programs/cache-dir.ts'
import { fakeProgram } from '../test/support/programs/fake.ts'
import type { FakeFacts } from '../test/support/programs/fake.ts'
import { createProcesses } from '../test/support/programs/processes.ts'
import type { Processes, Program } from '../test/support/programs/processes.ts'
import { script } from '../test/support/programs/script.ts'
import type { Workspace } from '../test/support/programs/workspace.ts'
import { LIMITS, PART_SIZE, WORKERS } from './plan.ts'
import type { Plan, Victim } from './plan.ts'
import { openRedisServer } from './redis.ts'

/** Something that can be killed and started again. */
export interface Mortal {
  readonly pid: () => number
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
  /** Resolves when it works again. */
  readonly start: () => Promise<void>
}

/** All that takes part, running. */
export interface Stage extends AsyncDisposable {
  /** Looks into the same Redis as the service, once nothing is killed any more. */
  readonly redis: Redis
  readonly fake: FakeFacts
  /** The service's HTTP API. */
  readonly url: string
  readonly token: string
  readonly mortals: Readonly<Record<Victim, Mortal>>
  /** What may stand in no log. */
  readonly secrets: readonly Canary[]
  /** Aborts at Ctrl-C, and when one of the processes ends that nobody killed. */
  readonly signal: AbortSignal
}

interface Options {
  readonly plan: Plan
  readonly workspace: Workspace
  readonly say: (text: string) => void
  readonly interrupted: AbortSignal
}

/** What the keys in Redis begin with. */
export const PREFIX = '{stevedore-chaos}'

/** Starts Redis, the fake, serve and the workers; disposing stops them in the opposite order. */
export async function openStage({ plan, workspace, say, interrupted }: Options): Promise<Stage> {
  await using resources = new AsyncDisposableStack()
  const processes = createProcesses(workspace.logs, interrupted)
  const server = await openRedisServer({ dataDir: workspace.data, cacheDir: ownCacheDir(), log: say })
  resources.defer(async () => server.end('SIGTERM'))
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, connectionName: 'chaos' })
  redis.on('error', () => {})
  resources.defer(() => redis.disconnect())

  const fake = await processes.start(fakeProgram(workspace.arrived, fakeFlags))
  resources.defer(fake.stop)

  const token = randomBytes(24).toString('base64url')
  const secretKey = randomBytes(32).toString('base64')
  const port = await freePort()
  const env = {
    ...environment(workspace, plan),
    REDIS_URL: server.url,
    STEVEDORE_TOKEN: token,
    STEVEDORE_SECRET_KEY: secretKey,
    STEVEDORE_PORT: String(port),
  }
  const run = async (program: Program<unknown>): Promise<Mortal> => startMortal(processes, program, resources)
  const serve = await run({
    name: 'serve',
    args: [script('src/producer/main.ts')],
    env,
    ready: (log) => log.includes('listening at') || undefined,
  })
  const worker = async (name: string): Promise<Mortal> =>
    run({
      name,
      args: [script('src/worker/main.ts')],
      env,
      ready: (log) => log.includes('worker runs') || undefined,
    })
  const [first, second] = WORKERS
  const mortals = {
    redis: { pid: server.pid, kill: async () => server.end('SIGKILL'), start: server.start },
    serve,
    [first]: await worker(first),
    [second]: await worker(second),
  }

  const owned = resources.move()
  return {
    redis,
    fake: fake.ready,
    url: `http://127.0.0.1:${port}`,
    token,
    mortals,
    secrets: [
      { name: 'the API token', value: token },
      { name: 'the secret key', value: secretKey },
      { name: "Redis's password", value: server.password },
      { name: 'a signed address', value: 'X-Amz-Signature=' },
      { name: "an account's login", value: 'authcookie_' },
    ],
    signal: processes.signal,
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

/** A part takes half a second, so that kills find some under way; and reads lag behind writes. */
const fakeFlags = [
  `--storage-bytes-per-second=${2 * PART_SIZE}`,
  '--stale-read-ms=300',
  `--multipart-threshold=${PART_SIZE}`,
  '--min-part-size=1',
  `--max-concurrent-calls=${LIMITS.callsAtOnce}`,
]

/**
 * No upload here brings a process down, each dies by our hand, two of them at most in a kill: so as many are
 * forgiven, and an upload that ends as `poison` all the same was counted wrong. Locks are short, so that whatever a
 * dead process held is soon at work again, and soon there to be killed over once more. A login without an answer
 * is tried again after a thirtieth of the budget: the fake takes less than 5 s between two logins for a broken rule.
 */
const environment = ({ root, data, sources }: Workspace, { kills }: Plan): Record<string, string> => ({
  STEVEDORE_PREFIX: PREFIX,
  STEVEDORE_DATA_DIR: data,
  STEVEDORE_SOURCE_ROOTS: sources,
  STEVEDORE_LOCK_MS: '2000',
  STEVEDORE_STALLED_MS: '700',
  STEVEDORE_RECONCILE_MS: '1000',
  STEVEDORE_LOGIN_BUDGET_MS: '180000',
  STEVEDORE_MAX_CRASHES: String(Math.max(1, 2 * kills.length)),
  STEVEDORE_LOG_LEVEL: 'debug',
  STEVEDORE_HASH_THREADS: '1',
  // Most of a start is reading TypeScript.
  NODE_COMPILE_CACHE: join(root, 'compiled'),
})

async function startMortal(
  { start }: Processes,
  program: Program<unknown>,
  resources: AsyncDisposableStack,
): Promise<Mortal> {
  let current = await start(program)
  resources.defer(async () => {
    if (current.isRunning()) await current.stop()
  })
  return {
    pid: () => current.pid,
    kill: async () => {
      current.signal('SIGKILL')
      await current.ended
    },
    start: async () => void (current = await start(program)),
  }
}
