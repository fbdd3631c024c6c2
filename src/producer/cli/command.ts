import { parseArgs } from 'node:util'
import type { Api } from './api/client.ts'
import { connect } from './api/connect.ts'
import { UsageError } from './errors.ts'
import { text, toggle, type Flags, type Values } from './flags.ts'
import type { Io } from './io.ts'
import { refuseSecretFlags } from './secret-flags.ts'

/** What every command that talks to the service takes. */
export const connectionFlags = {
  url: text(
    'URL',
    'address of the service; else STEVEDORE_HOST and STEVEDORE_PORT, else http://127.0.0.1:7070',
  ),
  'token-file': text(
    'FILE',
    'file with the API token; else STEVEDORE_TOKEN, else `token` in the data directory',
  ),
  'data-dir': text('FOLDER', "the service's data directory; else STEVEDORE_DATA_DIR, else .stevedore"),
} as const satisfies Flags

export const jsonFlag = { json: toggle('print JSON, for programs') } as const satisfies Flags

export interface Context {
  readonly io: Io
  readonly signal: AbortSignal
  /** The service, by flags, environment and data directory. Nothing is sent before it is used. */
  readonly api: Api
}

interface Spec<Of extends Flags> {
  /** As it is typed: `account add`. */
  readonly name: string
  /** Positional arguments as the help shows them: `ID`, `[VERSION]`, `FILE…`. */
  readonly args: readonly string[]
  readonly summary: string
  readonly details?: string
  readonly examples: readonly string[]
  readonly flags: Of
  /** Answers the exit code. */
  readonly run: (
    input: { readonly args: readonly string[]; readonly flags: Values<Of> },
    context: Context,
  ) => Promise<number>
}

export interface Command extends Omit<Spec<Flags>, 'run'> {
  readonly execute: (argv: readonly string[], io: Io) => Promise<number>
}

/** A command of its own flags and those that all have. */
export const defineCommand = <const Of extends Flags>({ run, ...spec }: Spec<Of>): Command => {
  const flags: Flags = { ...spec.flags, ...connectionFlags }
  return {
    ...spec,
    flags,
    execute: async (argv, io) => {
      refuseSecretFlags(argv)
      const { values, positionals } = parse(argv, flags)
      checkArguments(spec, positionals)
      const read = readFlags(values, flags)
      await using api = connect(
        // Both sets are in `flags`, whose readers made these values.
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion
        read as Values<typeof connectionFlags>,
        io,
      )
      // Likewise.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const input = { args: positionals, flags: read as Values<Of> }
      return await run(input, { io, signal: io.signal, api })
    },
  }
}

type Raw = ReturnType<typeof parseArgs>['values']

const parse = (argv: readonly string[], flags: Flags): { values: Raw; positionals: readonly string[] } => {
  try {
    return parseArgs({ args: [...argv], options: optionsOf(flags), allowPositionals: true, strict: true })
  } catch (error) {
    // Node's messages name the flag, never its value.
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Flags as `parseArgs` wants them. */
export const optionsOf = (flags: Flags) =>
  Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple = false, short }]) => [
      name,
      { type, multiple, ...(short !== undefined && { short }) },
    ]),
  )

const readFlags = (values: Raw, flags: Flags): Record<string, unknown> =>
  Object.fromEntries(Object.entries(flags).map(([name, { read }]) => [name, read(values[name], name)]))

const checkArguments = ({ name, args }: Pick<Command, 'name' | 'args'>, given: readonly string[]): void => {
  const missing = args.find((arg, index) => !arg.startsWith('[') && given[index] === undefined)
  const usage = `usage: stevedore ${[name, ...args].join(' ')}`
  if (missing !== undefined) throw new UsageError(`${missing.replace('…', '')} is missing; ${usage}`)
  if (given.length > args.length && args.at(-1)?.includes('…') !== true) {
    // It is not repeated: it may be a secret that somebody thought belongs here.
    throw new UsageError(`There are ${given.length} arguments, which is too many; ${usage}`)
  }
  if (given.includes('')) throw new UsageError(`An argument is empty; ${usage}`)
}
