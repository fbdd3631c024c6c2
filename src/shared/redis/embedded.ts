import { randomBytes } from 'node:crypto'
import { realpath, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { makePrivateFolder } from '#shared/data-dir.ts'

import { findServer } from './binary.ts'
import { withFileLock } from './file-lock.ts'
import { freePort } from './free-port.ts'
import { findLiving } from './living-server.ts'
import { isNeeded, openPresence } from './presence.ts'
import { startTimeOf } from './process-identity.ts'
import { createReviver } from './reviver.ts'
import {
  type ConfigOptions,
  type Credentials,
  type ServerFiles,
  readConfig,
  readSaved,
  serverFiles,
} from './server-files.ts'
import { whatWasCut } from './server-log.ts'
import { ServerEnded, launchServer, untilServing } from './server-process.ts'

export interface EmbeddedOptions {
  readonly dataDir: string
  readonly cacheDir: string
  readonly log: (message: string) => void
}

export interface EmbeddedRedis {
  readonly url: string
  readonly kind: 'started' | 'adopted'
  /** The server program that runs. */
  readonly binary: string
  readonly dataDir: string
  /** Ends the server, unless another process of ours still needs it. Close your own connections first. */
  readonly stop: () => Promise<'stopped' | 'left-running'>
}

/**
 * Adopts the server that runs on this data directory, or starts one; never a second. It outlives this process
 * however that ends, and should it end before `stop`, it is started again at the same address.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedRedis> {
  const { log } = options
  const dataDir = await makePrivateFolder(options.dataDir)
  const files = serverFiles(dataDir)
  await makePrivateFolder(files.dir)

  const reviver = createReviver(async () => {
    const revived = await inFolder(files, async () => adoptOrStart(files, options))
    if (revived.kind === 'started') log('The embedded Redis was gone and runs again')
    if (revived.port !== server.port) log('The embedded Redis had to move to another port: restart Stevedore')
  }, log)
  const { server, presence } = await inFolder(files, async () => {
    const server = await adoptOrStart(files, options)
    return { server, presence: await openPresence(server, reviver.revive) }
  })

  const stop = async () => {
    await reviver.end()
    presence.close()
    return inFolder(files, async () => stopUnlessNeeded(files))
  }
  return { url: urlOf(server), kind: server.kind, binary: server.binary, dataDir, stop }
}

export interface JoinedRedis {
  readonly url: string
  readonly close: () => void
}

/**
 * Joins the server that a standalone runs on this data directory. Throws when there is none. Whoever joins never ends
 * it, not even as the last: a worker that is restarted while the standalone is away must find it again. The next
 * standalone adopts it, and ends it with itself.
 */
export async function joinEmbedded({ dataDir }: Pick<EmbeddedOptions, 'dataDir'>): Promise<JoinedRedis> {
  const folder = await realpath(dataDir).catch(() => undefined)
  const files = folder === undefined ? undefined : serverFiles(folder)
  const joined = files && (await inFolder(files, async () => join(files)))
  if (joined !== undefined) return joined
  throw new Error(
    `REDIS_URL is not set, and no Stevedore runs its own Redis in ${dataDir}: ` +
      'set REDIS_URL, or start the standalone service (`npm start`) there first',
  )
}

async function join(files: ServerFiles): Promise<JoinedRedis | undefined> {
  const living = await findLiving(files)
  if (living === undefined) return undefined
  const presence = await openPresence(living, () => {})
  return { url: urlOf(living), close: presence.close }
}

// As long as a server may take to load, or to be fetched: the other process is then still at work.
const lockTimeoutMs = 900_000

async function inFolder<T>(files: ServerFiles, work: () => Promise<T>): Promise<T> {
  return withFileLock(
    files.lock,
    { purpose: 'starting or stopping the Redis', timeoutMs: lockTimeoutMs },
    work,
  )
}

interface Server extends Credentials {
  readonly kind: 'started' | 'adopted'
  readonly binary: string
}

async function adoptOrStart(files: ServerFiles, { cacheDir, log }: EmbeddedOptions): Promise<Server> {
  const living = await findLiving(files)
  if (living === undefined) return start(files, { cacheDir, log })
  const { port, password, state } = living
  const binary = { path: state.executable, env: {} }
  await untilServing(files, { port, password, pid: state.pid, binary, log })
  return { port, password, kind: 'adopted', binary: binary.path }
}

async function start(
  files: ServerFiles,
  { cacheDir, log }: Omit<EmbeddedOptions, 'dataDir'>,
): Promise<Server> {
  const binary = await findServer({ cacheDir, log })
  // The old address first: processes that joined the server before it ended find it again.
  const last = (await readSaved(files)) ?? (await readConfig(files)) ?? (await newCredentials())
  let options: ConfigOptions = { port: last.port, password: last.password, listenOnSocket: true }
  for (let attempt = 1; ; attempt++) {
    const pid = await launchServer(files, binary, options)
    try {
      await untilServing(files, { ...options, pid, binary, log })
      const cut = await whatWasCut(files)
      if (cut !== undefined) log(cut)
      return { ...options, kind: 'started', binary: binary.path }
    } catch (error) {
      if (attempt === 5) throw error
      options = await anotherWay(options, error)
    }
  }
}

async function anotherWay(options: ConfigOptions, error: unknown): Promise<ConfigOptions> {
  if (!(error instanceof ServerEnded) || error.reason === 'other') throw error
  if (error.reason === 'no-sockets') return { ...options, listenOnSocket: false }
  // With a new password too: whoever has the port may have been told the old one.
  return { ...options, ...(await newCredentials()) }
}

async function newCredentials(): Promise<Credentials> {
  return { port: await freePort(), password: randomBytes(32).toString('hex') }
}

function urlOf({ port, password }: Credentials): string {
  return `redis://:${password}@127.0.0.1:${port}`
}

/**
 * The server was started detached so that our drain still has its Redis, so it is on us to end it afterwards.
 * A worker or another standalone on the same data directory may still be at work, though: who stops last ends it.
 */
async function stopUnlessNeeded(files: ServerFiles): Promise<'stopped' | 'left-running'> {
  const living = await findLiving(files)
  if (living !== undefined && (await isStillNeeded(living))) return 'left-running'
  if (living !== undefined) await terminate(files)
  await Promise.all([rm(files.saved, { force: true }), rm(files.config, { force: true })])
  return 'stopped'
}

// Connections that we closed ourselves a moment ago may still be listed.
async function isStillNeeded(server: Credentials): Promise<boolean> {
  for (let tries = 0; tries < 10; tries++) {
    if (!(await isNeeded(server))) return false
    await sleep(50)
  }
  return true
}

const stopTimeoutMs = 60_000

async function terminate(files: ServerFiles): Promise<void> {
  const known = (await readSaved(files))?.process
  if (known === undefined) return
  const isAlive = async () => (await startTimeOf(known.pid)) === known.startTime
  if (await isAlive()) process.kill(known.pid, 'SIGTERM')
  for (const deadline = Date.now() + stopTimeoutMs; await isAlive(); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`The embedded Redis (process ${known.pid}) does not end`)
  }
}
