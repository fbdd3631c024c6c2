import { PassThrough, Writable } from 'node:stream'
import { commands } from '#producer/cli/commands.ts'
import type { Input, Io, Output } from '#producer/cli/io.ts'
import { run } from '#producer/cli/run.ts'

export interface Screen {
  readonly output: Output
  readonly text: () => string
}

/** Where a command writes to; a terminal when it has columns. */
export function openScreen(columns?: number): Screen {
  const chunks: Buffer[] = []
  const writable = new Writable({
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk)
      done()
    },
  })
  const output = Object.assign(writable, columns === undefined ? {} : { isTTY: true, columns, rows: 24 })
  return { output, text: () => Buffer.concat(chunks).toString() }
}

export interface Session {
  readonly io: Io
  readonly out: Screen
  readonly err: Screen
  /** What a person types, each as soon as its question is there. */
  readonly answer: (question: RegExp, typed: string) => Promise<void>
  readonly rawModes: boolean[]
  readonly stop: AbortController
}

/** A person at a terminal. */
export function openSession(env: Io['env'] = {}): Session {
  const [out, err] = [openScreen(100), openScreen(100)]
  const rawModes: boolean[] = []
  const keys = new PassThrough()
  const input: Input = Object.assign(keys, { isTTY: true, setRawMode: (raw: boolean) => rawModes.push(raw) })
  const stop = new AbortController()
  let from = 0
  return {
    out,
    err,
    rawModes,
    stop,
    io: { out: out.output, err: err.output, input, env, signal: stop.signal },
    answer: async (question, typed) => {
      while (!question.test(err.text().slice(from))) await new Promise((resolve) => setTimeout(resolve, 5))
      from = err.text().length
      keys.write(typed)
    },
  }
}

/** Runs a command line in this process. */
export const runHere = async (argv: readonly string[], io: Io): Promise<number> =>
  run({ commands, version: '1.2.3' }, argv, io)

interface Unattended {
  readonly url: string
  readonly env?: Io['env']
  /** What is on standard input. */
  readonly input?: string
}

/** Runs a command line where nobody can be asked. */
export async function runUnattended(
  argv: readonly string[],
  { url, env = {}, input = '' }: Unattended,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const [out, err, given] = [openScreen(), openScreen(), new PassThrough()]
  given.end(input)
  const io = { out: out.output, err: err.output, input: given, env, signal: new AbortController().signal }
  const code = await runHere([...argv, '--url', url], io)
  return { code, out: out.text(), err: err.text() }
}
