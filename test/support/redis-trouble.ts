import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { boot } from '#shared/boot.ts'
import { startWorker } from '#worker/start.ts'
import type { Machine } from './machine.ts'
import type { TestRedis } from './redis.ts'
import { eventually } from './service.ts'

/** A Redis that answers, and takes no writes. */
export interface Trouble {
  /** As Redis calls it. */
  readonly code: 'OOM' | 'MISCONF' | 'READONLY'
  /** Of the fault matrix. */
  readonly row: number
  readonly begin: (redis: Redis, server: TestRedis) => Promise<void>
  readonly end: (redis: Redis, server: TestRedis) => Promise<void>
}

export const outOfMemory: Trouble = {
  code: 'OOM',
  row: 9,
  begin: async (redis) => void (await redis.config('SET', 'maxmemory', '1')),
  end: async (redis) => void (await redis.config('SET', 'maxmemory', '0')),
}

export const troubles: readonly Trouble[] = [
  outOfMemory,
  {
    code: 'MISCONF',
    row: 10,
    begin: async (redis, { dir }) => {
      // A snapshot is renamed to this in the end, as on a disk that is full by then: also for root that fails.
      await mkdir(join(dir, 'dump.rdb'))
      await redis.config('SET', 'save', '3600 1')
      await snapshot(redis, 'err')
    },
    end: async (redis, { dir }) => {
      await rmdir(join(dir, 'dump.rdb'))
      await snapshot(redis, 'ok')
    },
  },
  {
    code: 'READONLY',
    row: 11,
    begin: async (redis) => void (await redis.replicaof('127.0.0.1', 1)),
    end: async (redis) => void (await redis.replicaof('NO', 'ONE')),
  },
]

async function snapshot(redis: Redis, status: 'ok' | 'err'): Promise<void> {
  await redis.bgsave()
  for (let tries = 0; (await infoField(redis, 'rdb_last_bgsave_status')) !== status; tries += 1) {
    if (tries > 1000) throw new Error(`No snapshot ended as ${status}`)
    await sleep(10)
  }
}

async function infoField(redis: Redis, name: string): Promise<string | undefined> {
  return new RegExp(`^${name}:(.*)\r$`, 'm').exec(await redis.info())?.[1]
}

/** Resolves when the server has given its system all that it answered so far: killed now, it loses none of that. */
export async function aofWritten(redis: Redis): Promise<void> {
  // Else what was answered may wait for the end of a sync.
  while ((await infoField(redis, 'aof_buffer_length')) !== '0') await sleep(5)
}

/** How many commands the server has done so far. */
export const commandsDone = async (redis: Redis): Promise<number> =>
  Number(await infoField(redis, 'total_commands_processed'))

/** A client that only the test has, and that waits for nothing. */
export function openAdmin({ url }: TestRedis): Redis & Disposable {
  const redis = new Redis(url)
  redis.on('error', () => undefined)
  return Object.assign(redis, { [Symbol.dispose]: () => redis.disconnect() })
}

export const CALM_LOCK_MS = 4000

/** Locks that many workers in one process on a busy machine can keep, as long as there is no other trouble. */
export const calmLocks = { STEVEDORE_LOCK_MS: String(CALM_LOCK_MS), STEVEDORE_STALLED_MS: '1000' }

export interface LoggedWorker extends AsyncDisposable {
  /** All lines of its log so far, from `info` on. */
  readonly lines: () => string[]
}

/** A worker with a connection and a log of its own, as a process of it would have. */
export async function startLoggedWorker(
  { config }: Machine,
  redisUrl = config.redisUrl,
): Promise<LoggedWorker> {
  await using resources = new AsyncDisposableStack()
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) })
  const own = { ...config, redisUrl }
  const booted = resources.use(await boot(own, { name: 'worker', log }))
  resources.use(await startWorker({ config: own, boot: booted, log }))
  const owned = resources.move()
  return { lines: () => lines, [Symbol.asyncDispose]: async () => owned.disposeAsync() }
}

/** The most attempts that any job of the service has used; all are kept. */
export async function mostAttempts({ machine }: { readonly machine: Machine }): Promise<number> {
  const { parts, uploads } = machine.stores.queues
  const jobs = await Promise.all(
    [parts, uploads].map(async (queue) => queue.getJobs(['completed', 'failed'])),
  )
  return Math.max(...jobs.flat().map(({ attemptsMade }) => attemptsMade))
}

/** Waits until so many parts of an upload have their receipts, on a busy machine too. */
export async function untilParts({ stores }: Machine, id: string, parts: number): Promise<void> {
  await eventually(async () => ((await stores.uploads.read(id))?.partsDone ?? 0) >= parts, 90_000)
}
