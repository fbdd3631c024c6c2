import { parseArgs } from 'node:util'
import { kindsOfFaults } from './faults.ts'

export interface Flags {
  readonly uploads: number
  readonly kills: number
  /** Same seed, same plan. */
  readonly seed: number
  /** Of all requests, for each kind. */
  readonly faultPercent: number
  /** Kinds of faults that are left out. */
  readonly without: readonly string[]
  /** How long after the last kill everything must have ended. */
  readonly withinMs: number
}

const usage = `npm run chaos -- [--uploads N] [--kills N] [--seed N] [--faults PERCENT] [--without KIND,…] [--within SECONDS]

  --uploads N       how many files are handed in, 1 to 10000 (300)
  --kills N         how often something is killed with SIGKILL, 0 to 1000 (30)
  --seed N          chooses sizes, destinations, faults and the order of the kills; a new one unless given
  --faults PERCENT  of the provider's answers that go wrong, for each kind of fault, 0 to 5 (1)
  --without KIND,…  leaves kinds of faults out: ${kindsOfFaults.join(', ')}
  --within SECONDS  how long after the last kill all of it may take, 1 to 36000 (600)

The same seed makes the same files, accounts and destinations, the same kills in the same order with the same pauses
between them, and the same draws for each kind of fault. What no seed decides is the time that the processes take,
and so which request draws which fault, and what a process has in its hands when it dies.

Ends with 0 when nothing was lost, duplicated, corrupt, or left behind; else with 1, and keeps the data directory,
all logs and a list of every request (fake-ledger.jsonl) to look into.`

/** Ends the process for `--help` and for flags that there are not. */
export function readFlags(): Flags {
  try {
    const { values } = parseArgs({
      options: {
        uploads: { type: 'string', default: '300' },
        kills: { type: 'string', default: '30' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        faults: { type: 'string', default: '1' },
        without: { type: 'string', default: '' },
        within: { type: 'string', default: '600' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return leave(0, usage)
    return {
      uploads: whole('--uploads', values.uploads, [1, 10_000]),
      kills: whole('--kills', values.kills, [0, 1000]),
      seed: whole('--seed', values.seed, [0, 2 ** 31 - 1]),
      faultPercent: number('--faults', values.faults, [0, 5]),
      without: kinds(values.without),
      withinMs: 1000 * whole('--within', values.within, [1, 36_000]),
    }
  } catch (error) {
    return leave(2, `${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}

type Range = readonly [least: number, most: number]

function number(flag: string, text: string, [least, most]: Range): number {
  const value = Number(text)
  if (/^[\d.]+$/.test(text) && value >= least && value <= most) return value
  throw new Error(`${flag} is a number from ${least} to ${most}, not ${text}`)
}

function whole(flag: string, text: string, range: Range): number {
  const value = number(flag, text, range)
  if (Number.isInteger(value)) return value
  throw new Error(`${flag} is a whole number, not ${text}`)
}

function kinds(text: string): readonly string[] {
  const wanted = text.split(',').filter((kind) => kind !== '')
  const unknown = wanted.find((kind) => !kindsOfFaults.includes(kind))
  if (unknown === undefined) return wanted
  throw new Error(`--without: there is no fault ${unknown}; there are ${kindsOfFaults.join(', ')}`)
}

function leave(code: number, text: string): never {
  console.log(text)
  process.exit(code)
}
