import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

export interface StartedProgram {
  readonly child: ChildProcess
  readonly output: () => string
  /** Its temporary folder, where it may leave nothing behind. */
  readonly folder: string
  readonly exitCode: Promise<number | null>
  /** Throws when it ended without having said it. */
  readonly untilSaid: (text: string) => Promise<void>
}

/** Runs a program such as the demo as a user does, with a temporary folder of its own. */
export async function startProgramApart(
  program: string,
  flags: readonly string[] = [],
): Promise<StartedProgram> {
  const folder = await mkdtemp(join(tmpdir(), 'program-test-'))
  const child = spawn(process.execPath, [program, ...flags], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()))
  const exitCode = once(child, 'close').then(() => child.exitCode)
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exitCode
    await rm(folder, { recursive: true, force: true })
  })
  let ended = false
  void exitCode.then(() => (ended = true))
  return {
    child,
    folder,
    exitCode,
    output: () => output,
    untilSaid: async (text) => {
      while (!output.includes(text)) {
        if (ended) throw new Error(`The program ended and never said "${text}":\n${output}`)
        await sleep(50)
      }
    },
  }
}

/** Those of these processes that run, and all that have the program's folder in their arguments; a line each. */
export async function leftProcesses(
  { folder }: StartedProgram,
  pids: readonly (string | undefined)[],
): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-eo', 'pid=,args='])
  const lines = stdout.split('\n').map((line) => line.trim())
  return lines.filter((line) => pids.includes(line.split(' ')[0]) || line.includes(folder))
}
