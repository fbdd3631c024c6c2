import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { startTimeOf } from './process-identity.ts'
import { isAnswering, probeServer } from './probe.ts'
import type { Candidate } from './server-binary.ts'
import {
  type ConfigOptions,
  type Credentials,
  type ServerFiles,
  writeConfig,
  writeSaved,
} from './server-files.ts'
import { openLog, readLastRun } from './server-log.ts'

/** The server ended instead of serving; `reason` says which other way may be tried. */
export class ServerEnded extends Error {
  override name = 'ServerEnded'
  readonly reason: 'port-taken' | 'no-sockets' | 'other'

  constructor(message: string, reason: ServerEnded['reason']) {
    super(message)
    this.reason = reason
  }
}

/**
 * Starts a server that outlives us and answers its process id, before it serves. Call it under the folder's
 * lock, with no other server on the folder.
 */
export async function launchServer(
  files: ServerFiles,
  binary: Candidate,
  options: ConfigOptions,
): Promise<number> {
  const { port, password } = options
  await writeConfig(files, options)
  await writeSaved(files, { port, password })
  const log = await openLog(files)
  try {
    const pid = await spawnDetached(files, { binary, log })
    const startTime = await startTimeOf(pid)
    if (startTime !== undefined) await writeSaved(files, { port, password, process: { pid, startTime } })
    return pid
  } finally {
    await log.close()
  }
}

interface Launch {
  readonly binary: Candidate
  readonly log: FileHandle
}

async function spawnDetached(files: ServerFiles, { binary, log }: Launch): Promise<number> {
  const server: ChildProcess = spawn(binary.path, [files.config], {
    cwd: files.dir,
    env: binary.env,
    // A session of its own: Ctrl-C in our terminal reaches us only, and our drain still has its Redis.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  await once(server, 'spawn')
  server.unref()
  if (server.pid === undefined) throw new Error(`${binary.path} did not start`)
  return server.pid
}

export interface ServingOptions extends Credentials {
  readonly pid: number
  readonly binary: Candidate
  readonly log: (message: string) => void
}

// Ten minutes of loading are tens of gigabytes; who waits that long rather looks into it.
const loadTimeoutMs = 600_000
// A server answers within milliseconds, while it loads too; this is a machine that is out of breath.
const answerTimeoutMs = 60_000
const progressEveryMs = 5_000

/** Waits until the server has loaded its data and serves, saying how far it is. Throws when it ends instead. */
export async function untilServing(files: ServerFiles, options: ServingOptions): Promise<void> {
  const { port, password, pid, binary, log } = options
  const started = Date.now()
  const sayProgress = atMostEvery(progressEveryMs, log)
  for (;;) {
    const state = await probeServer({ port }, password)
    const ours = isAnswering(state) && state.pid === pid ? state : undefined
    if (ours?.kind === 'ready') return
    if ((await startTimeOf(pid)) === undefined) throw await explainEnd(files, binary)
    if (Date.now() - started > (ours === undefined ? answerTimeoutMs : loadTimeoutMs)) {
      throw new Error(`The embedded Redis (process ${pid}) does not get ready; see ${files.log}`)
    }
    if (ours !== undefined) sayProgress(`The embedded Redis is loading its data: ${ours.loadedPercent} %`)
    await sleep(20)
  }
}

function atMostEvery(intervalMs: number, log: (message: string) => void): (message: string) => void {
  let last = Date.now()
  return (message) => {
    if (Date.now() - last < intervalMs) return
    last = Date.now()
    log(message)
  }
}

/** Turns what the server said last into what a person, or the next try, can do about it. */
async function explainEnd(files: ServerFiles, binary: Candidate): Promise<ServerEnded> {
  const last = await readLastRun(files)
  if (/Address already in use/i.test(last)) return new ServerEnded('Its port was taken', 'port-taken')
  if (/opening Unix socket/i.test(last)) return new ServerEnded('Its folder takes no sockets', 'no-sockets')
  if (/bad file format|unexpected end of file|Unrecoverable error reading/i.test(last)) {
    return new ServerEnded(repairAdvice(files, binary), 'other')
  }
  const lines = last.trim().split('\n').slice(-5).join('\n  ')
  return new ServerEnded(
    `The embedded Redis (${binary.path}) ended. It said:\n  ${lines}\nMore in ${files.log}`,
    'other',
  )
}

function repairAdvice(files: ServerFiles, binary: Candidate): string {
  const folder = join(files.dir, 'appendonlydir')
  const check = join(
    dirname(binary.path),
    binary.path.includes('valkey') ? 'valkey-check-aof' : 'redis-check-aof',
  )
  const libraries = binary.env['LD_LIBRARY_PATH']
  const environment = libraries === undefined ? '' : `LD_LIBRARY_PATH='${libraries}' `
  return [
    `The embedded Redis can not read its append-only file, which is damaged (details: ${files.log}).`,
    'Nothing was changed. This keeps a copy, then cuts off the damage and what was written after it:',
    `  cp -a '${folder}' '${folder}.damaged'`,
    `  ${environment}'${check}' --fix '${join(folder, 'appendonly.aof.manifest')}'`,
    'Then start again: what arrived is asked from the providers.',
  ].join('\n')
}
