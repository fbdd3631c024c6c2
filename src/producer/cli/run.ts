import { parseArgs } from 'node:util'
import { Refused } from './api/problem.ts'
import { optionsOf, type Command } from './command.ts'
import { exitCodes, Failed, Interrupted, NotReachable, UsageError } from './errors.ts'
import { helpOf, helpOfAll } from './help.ts'
import { line, type Io } from './io.ts'

interface Program {
  readonly commands: readonly Command[]
  readonly version: string
}

/** Runs one command line and answers its exit code. Whatever goes wrong is written to `err`. */
export const run = async (program: Program, argv: readonly string[], io: Io): Promise<number> => {
  try {
    return await dispatch(program, argv, io)
  } catch (error) {
    return explain(error, io)
  }
}

const dispatch = async ({ commands, version }: Program, argv: readonly string[], io: Io): Promise<number> => {
  const { words, help, wantsVersion } = survey(commands, argv)
  const found = findCommand(commands, words)
  if (help) return succeed(io, found === undefined ? helpOfAll(commands) : helpOf(found.command))
  if (wantsVersion) return succeed(io, version)
  if (words.length === 0) {
    line(io.err, helpOfAll(commands))
    return exitCodes.usage
  }
  if (found === undefined) throw new UsageError(unknown(commands, words))
  const rest = argv.filter((_, index) => !found.at.includes(index))
  return found.command.execute(rest, io)
}

const succeed = ({ out }: Io, text: string): number => {
  line(out, text)
  return exitCodes.done
}

interface Word {
  readonly text: string
  /** Where it stands in the command line. */
  readonly index: number
}

interface Survey {
  readonly words: readonly Word[]
  readonly help: boolean
  readonly wantsVersion: boolean
}

/** A first look, to find the command whatever flags stand before it. */
const survey = (commands: readonly Command[], argv: readonly string[]): Survey => {
  const flags = Object.assign({}, ...commands.map(({ flags }) => flags))
  const options = {
    ...optionsOf(flags),
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
  } as const
  const { tokens, values } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const positional = tokens.flatMap((token) =>
    token.kind === 'positional' ? [{ text: token.value, index: token.index }] : [],
  )
  const [first, ...others] = positional
  const asksHelp = first?.text === 'help'
  return {
    words: asksHelp ? others : positional,
    help: asksHelp || values['help'] === true,
    wantsVersion: values['version'] === true,
  }
}

const findCommand = (
  commands: readonly Command[],
  words: readonly Word[],
): { command: Command; at: readonly number[] } | undefined => {
  for (const command of commands) {
    const parts = command.name.split(' ')
    if (!parts.every((part, index) => words[index]?.text === part)) continue
    return { command, at: words.slice(0, parts.length).map(({ index }) => index) }
  }
  return undefined
}

const unknown = (commands: readonly Command[], [first]: readonly Word[]): string => {
  const within = commands.filter(({ name }) => name.startsWith(`${first?.text ?? ''} `))
  if (within.length > 0)
    return `stevedore ${first?.text ?? ''} what? ${within.map(({ name }) => name).join(', ')}`
  return `There is no command ${JSON.stringify(first?.text ?? '')}; \`stevedore --help\` lists them`
}

const explain = (error: unknown, io: Io): number => {
  const stopped = io.signal.aborted && !(error instanceof Interrupted) ? io.signal.reason : error
  if (stopped instanceof Interrupted) {
    if (stopped.message !== '') line(io.err, stopped.message)
    return stopped.exitCode
  }
  line(io.err, `stevedore: ${messageOf(error)}`)
  return codeOf(error)
}

const codeOf = (error: unknown): number => {
  if (error instanceof UsageError) return exitCodes.usage
  if (error instanceof NotReachable) return exitCodes.unreachable
  return exitCodes.failed
}

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const known = error instanceof UsageError || error instanceof NotReachable || error instanceof Failed
  if (known || error instanceof Refused || 'code' in error) return error.message
  // A mistake of ours: where it happened is all there is to go by.
  return error.stack ?? error.message
}
