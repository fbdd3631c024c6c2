import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { HostOrder, HostReport } from './worker-host.ts'

type Env = Readonly<Record<string, string>>

export interface Process extends AsyncDisposable {
  readonly pid: number
  /** Resolves when the process is gone. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
  readonly send: (signal: NodeJS.Signals) => void
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

const main = fileURLToPath(new URL('../../../src/worker/main.ts', import.meta.url))
const host = fileURLToPath(new URL('./worker-host.ts', import.meta.url))

/** `node src/worker/main.ts`, once it says that it runs. */
export async function spawnWorker(env: Env): Promise<Process> {
  const child = spawn(process.execPath, [main], {
    env: { ...systemEnv(), ...env, STEVEDORE_LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const worker = processOf(child)
  const lines: string[] = []
  const { promise: runs, resolve } = Promise.withResolvers<'runs'>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    if (line.includes('worker runs')) resolve('runs')
  })
  const first = await Promise.race([runs, worker.ended])
  if (first !== 'runs') throw new Error(`The worker ended with ${first}: ${lines.join('\n')}`)
  return worker
}

/** A process that has a worker's code loaded, and becomes a worker of any service at once, or of many. */
export interface Host extends Process {
  /** Answers how to end that worker again, drained. */
  readonly start: (env: Env) => Promise<() => Promise<void>>
}

/** Starts at once; its first order waits until it is loaded. */
export function startHost(): Host {
  const child = fork(host, { env: systemEnv(), stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const own = processOf(child)
  const waiting = new Map<string, () => void>()
  const loaded = reported('loaded')
  let broken: string | undefined
  let nextId = 1
  child.on('message', (report: HostReport) => {
    if (report.kind === 'broken') broken = report.why
    waiting.get(
      report.kind === 'loaded' || report.kind === 'broken' ? report.kind : `${report.kind} ${report.id}`,
    )?.()
  })

  function reported(what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(what, resolve)
    return promise
  }

  async function order(what: HostOrder, answer: string): Promise<void> {
    const answered = reported(answer)
    const failed = reported('broken').then(() => `failed: ${broken}`)
    child.send(what, (error) => error && (broken = error.message))
    const outcome = await Promise.race([answered, failed, own.ended.then((end) => `ended with ${end}`)])
    if (outcome !== undefined) throw new Error(`The worker process ${outcome}`)
  }

  return {
    ...own,
    start: async (env) => {
      await Promise.race([loaded, own.ended])
      const id = nextId++
      await order({ kind: 'start', id, env }, `started ${id}`)
      return async () => order({ kind: 'stop', id }, `stopped ${id}`)
    },
  }
}

/** Hosts that are loading while others work: taking one costs no start of a process. */
export function openSpares(count: number): AsyncDisposable & { readonly take: () => Host } {
  const spares = Array.from({ length: count }, startHost)
  return {
    take: () => {
      spares.push(startHost())
      return spares.shift() ?? startHost()
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(spares.map(async (spare) => spare[Symbol.asyncDispose]()))
    },
  }
}

function processOf(child: ChildProcess): Process {
  const ended = once(child, 'exit').then(() => child.exitCode ?? String(child.signalCode))
  const { pid } = child
  if (pid === undefined) throw new Error('No process was started')
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    child.kill(signal)
    await ended
  }
  return {
    pid,
    ended,
    kill,
    send: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => kill(),
  }
}

/** Compiled code is kept: most of a start is reading TypeScript. */
function systemEnv(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }
}
