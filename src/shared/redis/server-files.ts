import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

import { writePrivateFile } from '#shared/data-dir.ts'

/** Where the embedded server keeps what, below the data directory. */
export interface ServerFiles {
  /** The server's working folder, with its append-only files. */
  readonly dir: string
  readonly config: string
  readonly saved: string
  readonly log: string
  readonly lock: string
  readonly socket: string
}

export function serverFiles(dataDir: string): ServerFiles {
  const dir = join(dataDir, 'redis')
  return {
    dir,
    config: join(dataDir, 'redis.conf'),
    saved: join(dataDir, 'redis.json'),
    log: join(dataDir, 'redis.log'),
    lock: join(dataDir, 'redis.lock'),
    socket: join(dir, socketName),
  }
}

const socketName = 'redis.sock'

/** Calls `work` with a name of the socket that fits into a socket address; answers undefined when none does. */
export async function withSocket<T>(
  files: ServerFiles,
  work: (path: string) => Promise<T>,
): Promise<T | undefined> {
  // The least that any system leaves room for.
  if (Buffer.byteLength(files.socket) <= 103) return work(files.socket)
  if (process.platform !== 'linux') return undefined
  const dir = await open(files.dir)
  try {
    return await work(`/proc/self/fd/${dir.fd}/${socketName}`)
  } finally {
    await dir.close()
  }
}

const credentials = z.object({ port: z.int().min(1).max(65_535), password: z.string().min(1) })

const savedServer = credentials.extend({
  v: z.literal(1),
  // Absent while the server is being started: who finds it so knows that a start was cut short.
  process: z.object({ pid: z.int().positive(), startTime: z.string().min(1) }).optional(),
})

export type Credentials = z.infer<typeof credentials>
export type SavedServer = z.infer<typeof savedServer>

/** What redis.json says; undefined when it is missing or damaged. */
export async function readSaved(files: ServerFiles): Promise<SavedServer | undefined> {
  const text = await readFile(files.saved, 'utf8').catch(() => '')
  try {
    return savedServer.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

export async function writeSaved(files: ServerFiles, saved: Omit<SavedServer, 'v'>): Promise<void> {
  await writePrivateFile(files.saved, `${JSON.stringify({ v: 1, ...saved }, null, 2)}\n`)
}

/** Port and password as the server itself read them: the second copy, should redis.json be damaged. */
export async function readConfig(files: ServerFiles): Promise<Credentials | undefined> {
  const text = await readFile(files.config, 'utf8').catch(() => '')
  const value = (name: string) => new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
  return credentials.safeParse({ port: Number(value('port')), password: value('requirepass') }).data
}

export interface ConfigOptions extends Credentials {
  readonly listenOnSocket: boolean
}

/** The password stands in a file that only we may read, and not in the arguments, which everybody may. */
export async function writeConfig(files: ServerFiles, options: ConfigOptions): Promise<void> {
  const { port, password, listenOnSocket } = options
  // Relative names, as the server is started inside its folder: any path works, however long or odd.
  const lines = [
    '# Written by Stevedore at each start of its own server.',
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    ...(listenOnSocket ? [`unixsocket ${socketName}`, 'unixsocketperm 700'] : []),
    'daemonize no',
    'dir .',
    'appendonly yes',
    'appendfsync everysec',
    'aof-load-truncated yes',
    'save ""',
    'maxmemory-policy noeviction',
    'always-show-logo no',
    // So that `ps` shows whose server this is.
    'set-proc-title no',
  ]
  await writePrivateFile(files.config, `${lines.join('\n')}\n`)
}
