import type { Form } from '#shared/providers/form.ts'
import { forms } from '#shared/providers/forms.ts'
import type { Command } from './command.ts'
import { connectionFlags } from './command.ts'
import type { Flag, Flags } from './flags.ts'

/** The commands, and what holds for all of them. */
export const helpOfAll = (commands: readonly Command[]): string => {
  const usages = commands.map((command) => [usageOf(command), command.summary] as const)
  return [
    'stevedore: uploads files through a Stevedore service',
    '',
    'usage: stevedore COMMAND [FLAGS]',
    '',
    ...aligned(usages),
    '',
    'Every command explains itself: stevedore COMMAND --help',
    '',
    'flags of all commands:',
    ...flagLines(connectionFlags),
    '      --version          print the version',
    '',
    'environment, beside the settings in .env.example (secrets are never flags):',
    ...aligned(environment),
    '',
    'exit codes: 0 all done, 1 some failed or were refused, 2 wrong use, 3 service not reachable,',
    '130 stopped with Ctrl-C',
  ].join('\n')
}

const variablesOf = ({ account: { fields, codeEnv } }: Form): readonly (readonly [string, string])[] => [
  ...fields.flatMap(({ env, flag, isSecret, by }) => {
    if (env === undefined) return []
    const use = by === 'import' ? `for account add and login with --${flag}` : 'for account add'
    return [[env, isSecret ? `${use}; else --${flag}-stdin` : `${use}; else --${flag}`] as const]
  }),
  [codeEnv, 'for account login; else --code-stdin, else asked for'],
]

const environment = [...forms.flatMap(variablesOf), ['NO_COLOR', 'any value: no colours']] as const

export const helpOf = (command: Command): string =>
  [
    `stevedore ${command.name}: ${command.summary}`,
    '',
    `usage: stevedore ${[command.name, ...command.args].join(' ')} [FLAGS]`,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    'flags:',
    ...flagLines(command.flags),
    '',
    'examples:',
    ...command.examples.map((example) => `  ${example}`),
  ].join('\n')

const usageOf = ({ name, args }: Command): string => [name, ...args].join(' ')

const flagLines = (flags: Flags): readonly string[] =>
  aligned(Object.entries(flags).map(([name, flag]) => [written(name, flag), helpText(flag)] as const))

const written = (name: string, { short, value }: Flag<unknown>): string =>
  `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`

const helpText = ({ help, multiple }: Flag<unknown>): string =>
  multiple === true ? `${help}; may be given more than once` : help

const aligned = (rows: readonly (readonly [string, string])[]): readonly string[] => {
  const width = Math.max(...rows.map(([left]) => left.length).filter((length) => length <= 34))
  return rows.map(([left, right]) =>
    left.length > width ? `  ${left}\n  ${' '.repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
  )
}
