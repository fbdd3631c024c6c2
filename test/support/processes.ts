import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const inCheckout = (path: string): string => join(root, path)

type Env = Readonly<Record<string, string>>

export interface Ended {
  /** Exit code, or the name of the signal that ended it. */
  readonly code: number | string
  readonly out: string
  readonly err: string
}

export interface Started {
  readonly pid: number
  /** What it wrote so far, on both ways. */
  readonly said: () => string
  /** Resolves once it wrote this; throws when it ended without. */
  readonly untilSaid: (text: string) => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  /** To all of its process group, as a terminal does; only to itself unless it was started apart. */
  readonly signalGroup: (signal: NodeJS.Signals) => void
  /** It is gone, and all it wrote has arrived. */
  readonly ended: Promise<Ended>
}

export interface Start {
  readonly env?: Env
  readonly input?: string
  /** Working directory; the checkout unless given. */
  readonly cwd?: string
  /** In a process group of its own; else Ctrl-C on the test run ends it too. */
  readonly apart?: boolean
}

/** Starts a program of the checkout. */
export function startProgram(argv: readonly string[], given: Start = {}): Started {
  const [program = '', ...args] = argv
  return startCommand([process.execPath, inCheckout(program), ...args], given)
}

/** Starts any command, with nothing of our own settings. */
export function startCommand(
  argv: readonly string[],
  { env, input, cwd = root, apart = false }: Start = {},
): Started {
  const [command = '', ...args] = argv
  const child = spawn(command, args, { cwd, env: { ...systemEnv(), ...env }, detached: apart })
  const [out, err, all]: [string[], string[], string[]] = [[], [], []]
  for (const [stream, kept] of [[child.stdout, out] as const, [child.stderr, err] as const]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      kept.push(text)
      all.push(text)
    })
  }
  // It may end without reading any of it.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const said = (): string => all.join('')
  const ended = once(child, 'close').then(() => ({
    code: child.exitCode ?? String(child.signalCode),
    out: out.join(''),
    err: err.join(''),
  }))
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} does not start`)
  return {
    pid,
    said,
    ended,
    untilSaid: async (text) => {
      const heard = Promise.withResolvers<'heard'>()
      const listen = (): void => {
        if (said().includes(text)) heard.resolve('heard')
      }
      for (const stream of [child.stdout, child.stderr]) stream.on('data', listen)
      listen()
      const first = await Promise.race([heard.promise, ended])
      for (const stream of [child.stdout, child.stderr]) stream.off('data', listen)
      if (first !== 'heard' && !said().includes(text)) {
        throw new Error(`Ended with ${first.code} and never said "${text}":\n${said()}`)
      }
    },
    signal: (signal) => void child.kill(signal),
    signalGroup: (signal) => {
      if (child.exitCode === null && child.signalCode === null) process.kill(apart ? -pid : pid, signal)
    },
  }
}

/** Compiled code is kept: most of a start is reading TypeScript. */
function systemEnv(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') }
}
