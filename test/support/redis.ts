import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { TestProject } from 'vitest/node'

import { findServer } from '#shared/redis/binary.ts'
import { freePort } from '#shared/redis/free-port.ts'
import { probeServer } from '#shared/redis/probe.ts'
import type { ServerBinary } from '#shared/redis/server-binary.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the run's own Redis is. Shared by its test files: use a key prefix of your own. */
    redisUrl: string
  }
}

/** Gets the run its Redis: `REDIS_URL`, else a binary as the service finds one, else Docker, else an error. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await openRedis()
  project.provide('redisUrl', redis.url)
  return redis.close
}

interface RunRedis {
  readonly url: string
  readonly close: () => Promise<void>
}

async function openRedis(): Promise<RunRedis> {
  const url = process.env['REDIS_URL']
  if (url !== undefined && url !== '') return { url, close: async () => {} }
  try {
    const redis = await startTestRedis()
    return { url: redis.url, close: async () => redis[Symbol.asyncDispose]() }
  } catch (error) {
    if (!(await hasDocker())) throw error
    return startContainer()
  }
}

async function hasDocker(): Promise<boolean> {
  try {
    await promisify(execFile)('docker', ['info'], { timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

async function startContainer(): Promise<RunRedis> {
  const { GenericContainer } = await import('testcontainers')
  const container = await new GenericContainer('valkey/valkey:8-alpine').withExposedPorts(6379).start()
  const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
  return { url, close: async () => void (await container.stop()) }
}

export interface TestRedisOptions {
  /** Keeps everything on disk, as the service asks for; off, a killed server forgets all. */
  readonly aof?: boolean
  /** When what was written is on the disk: within a second, or before it is answered. */
  readonly fsync?: 'everysec' | 'always'
  /** Where its files are; a folder of its own, removed at the end, unless given. */
  readonly dir?: string
}

export interface TestRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly dir: string
  /** Process id of the server that runs now; another one after `restart`. */
  readonly pid: () => number
  /** Resolves when the process is gone. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
  /** Ends it, unless it was killed before, and starts one on the same port and folder. */
  readonly restart: () => Promise<void>
}

/** A Redis of the test's own, that may be killed, restarted and reconfigured. */
export async function startTestRedis({
  aof = false,
  fsync = 'everysec',
  dir,
}: TestRedisOptions = {}): Promise<TestRedis> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'stevedore-redis-')))
  const binary = await testServerBinary()
  const port = await freePort()
  const start = () => startServer(binary, { port, dir: folder, aof, fsync })
  let server = await start()
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => end(server, signal)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir: folder,
    pid: () => pidOf(server),
    kill,
    restart: async () => {
      await kill('SIGTERM')
      server = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await kill()
      if (dir === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

let found: Promise<ServerBinary> | undefined

/** The server that tests start, found once. */
export function testServerBinary(): Promise<ServerBinary> {
  found ??= findServer({ cacheDir: testCacheDir(), log: console.log })
  return found
}

/** The cache that the service itself uses, so that a server is fetched once for both. */
export function testCacheDir(): string {
  const { STEVEDORE_CACHE_DIR: own, XDG_CACHE_HOME: cache } = process.env
  return own ?? join(cache ?? join(homedir(), '.cache'), 'stevedore')
}

interface ServerOptions {
  readonly port: number
  readonly dir: string
  readonly aof: boolean
  readonly fsync: string
}

async function startServer(
  binary: ServerBinary,
  { port, dir, aof, fsync }: ServerOptions,
): Promise<ChildProcess> {
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir,
    save: '',
    appendonly: aof ? 'yes' : 'no',
    appendfsync: fsync,
    'maxmemory-policy': 'noeviction',
    'enable-debug-command': 'local',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  // In our process group, unlike the service's own: Ctrl-C on the test run ends it too.
  const server = spawn(binary.path, args, { env: binary.env, stdio: 'ignore' })
  await once(server, 'spawn')
  for (;;) {
    const state = await probeServer({ port }, '')
    if (state.kind === 'ready' && state.pid === server.pid) return server
    if (hasEnded(server))
      throw new Error(`${binary.path} ended with ${server.exitCode} on port ${port}, ${dir}`)
    await sleep(20)
  }
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(server)) return
  const gone = once(server, 'exit')
  server.kill(signal)
  await gone
}

function hasEnded(server: ChildProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null
}

function pidOf(server: ChildProcess): number {
  if (server.pid === undefined) throw new Error('The test server has no process')
  return server.pid
}
