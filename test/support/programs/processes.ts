import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProgramFailed } from './failure.ts'
import { lastWords } from './log-lines.ts'

const START_MS = 60_000
// Longer than the service's own grace period.
const STOP_MS = 30_000

export interface StartedProcess<Ready = unknown> {
  readonly name: string
  readonly pid: number
  /** What it said of itself once it was ready. */
  readonly ready: Ready
  readonly isRunning: () => boolean
  /** After SIGTERM and SIGKILL it may end without that being a failure. */
  readonly signal: (signal: NodeJS.Signals) => void
  readonly ended: Promise<unknown>
  /** SIGTERM, and waits until it is gone. */
  readonly stop: () => Promise<void>
}

export interface Program<Ready> {
  readonly name: string
  /** Arguments of node, the script first. */
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Finds in its log that it is ready. */
  readonly ready: (log: string) => Ready | undefined
}

export interface Processes {
  /** Aborts when a process ends that was to go on, with what it said last. */
  readonly signal: AbortSignal
  readonly start: <Ready>(program: Program<Ready>) => Promise<StartedProcess<Ready>>
}

/** Runs programs as processes of their own, each with a log file. */
export function createProcesses(logs: string, interrupted: AbortSignal): Processes {
  const death = new AbortController()
  const signal = AbortSignal.any([interrupted, death.signal])
  return {
    signal,
    start: async (program) => {
      const log = join(logs, `${program.name.replaceAll(' ', '-')}.log`)
      const { child, from } = await launch(program, log)
      // Should we ourselves come to an end that nobody foresaw.
      const endToo = (): void => void child.kill('SIGKILL')
      process.once('exit', endToo)
      let expected = false
      const ended = once(child, 'exit')
      const watch = async (): Promise<void> => {
        await ended
        process.off('exit', endToo)
        if (!expected) death.abort(await explain(program.name, child, log))
      }
      void watch()
      const send = (name: NodeJS.Signals): void => {
        if (name === 'SIGTERM' || name === 'SIGKILL') expected = true
        child.kill(name)
      }
      const isRunning = (): boolean => child.exitCode === null && child.signalCode === null
      try {
        const ready = await untilReady(program, { log, from, signal })
        return {
          name: program.name,
          pid: pidOf(child),
          ready,
          isRunning,
          signal: send,
          ended,
          stop: async () => stop(send, ended),
        }
      } catch (error) {
        await stop(send, ended)
        throw error
      }
    },
  }
}

interface Launched {
  readonly child: ChildProcess
  /** Where in its log this start begins, in bytes: before stands what an earlier one said. */
  readonly from: number
}

async function launch({ args, env = {} }: Program<unknown>, log: string): Promise<Launched> {
  const file = await open(log, 'a', 0o600)
  try {
    const { size: from } = await file.stat()
    const child = spawn(process.execPath, args, {
      env: { ...inherited(), ...env },
      // A session of its own: Ctrl-C reaches only us, and we stop the others one after the other.
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
    })
    await once(child, 'spawn')
    return { child, from }
  } finally {
    await file.close()
  }
}

/** Settings of somebody's own Stevedore must not reach ours. */
function inherited(): NodeJS.ProcessEnv {
  const others = Object.entries(process.env).filter(
    ([name]) => !/^(STEVEDORE_|FAKE_VRCHAT_|FAKE_CLOUDREVE_)|^REDIS_URL$/.test(name),
  )
  return Object.fromEntries(others)
}

async function untilReady<Ready>(
  { name, ready }: Program<Ready>,
  { log, from, signal }: { readonly log: string; readonly from: number; readonly signal: AbortSignal },
): Promise<Ready> {
  for (const giveUpAt = Date.now() + START_MS; Date.now() < giveUpAt; await sleep(25)) {
    signal.throwIfAborted()
    const found = ready((await readFile(log)).subarray(from).toString())
    if (found !== undefined) return found
  }
  throw new ProgramFailed(
    `${name} did not get ready within ${START_MS / 1000} s. It said last:`,
    await lastWords(log),
  )
}

async function stop(send: (signal: NodeJS.Signals) => void, ended: Promise<unknown>): Promise<void> {
  send('SIGTERM')
  const tooLate = setTimeout(() => send('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(tooLate)
}

async function explain(
  name: string,
  { exitCode, signalCode }: ChildProcess,
  log: string,
): Promise<ProgramFailed> {
  const how = signalCode === null ? `ended with exit code ${exitCode}` : `was killed with ${signalCode}`
  return new ProgramFailed(`${name} ${how}. It said last:`, await lastWords(log))
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('A process that runs has an id')
  return pid
}
