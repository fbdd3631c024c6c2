import { parseArgs } from 'node:util'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

export interface Flags {
  readonly scenarios: readonly Scenario[]
  readonly quick: boolean
  readonly profile: boolean
}

/** Ends the process for `--help`, and with 2 for flags and scenarios that there are not. */
export function readFlags(args: readonly string[]): Flags {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        all: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        profile: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return leave(0, usage())
    const { quick, profile } = values
    const flags = { quick, profile, scenarios: chosen(positionals, values.all) }
    if (process.platform !== 'linux') throw new Error('The bench reads /proc: it runs on Linux only')
    return flags
  } catch (error) {
    return leave(2, `${error instanceof Error ? error.message : String(error)}\n\n${usage()}`)
  }
}

/** Those named, or all that take no more than some minutes. */
function chosen(names: readonly string[], all: boolean): readonly Scenario[] {
  if (names.length === 0) return scenarios.filter(({ slow }) => all || slow !== true)
  return names.map((name) => {
    const scenario = scenarios.find((one) => one.name === name)
    if (scenario === undefined) throw new Error(`There is no scenario called ${name}`)
    return scenario
  })
}

function usage(): string {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  const list = scenarios.map(
    ({ name, what, slow }) =>
      `  ${name.padEnd(width)}  ${what}${slow === true ? ' (slow: only by name)' : ''}`,
  )
  return `npm run bench -- [--quick] [--profile] [--all] [SCENARIO…]

Measures on this machine, against fakes of the providers; everything is a ratio within one run.

  --quick    small sizes, to see that it runs; the figures say nothing
  --profile  CPU profiles of the service's processes
  --all      the slow scenarios too

${list.join('\n')}`
}

function leave(code: number, text: string): never {
  if (code === 0) console.log(text)
  else console.error(text)
  process.exit(code)
}
