import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { Keys } from '../keys.ts'

const names = [
  'accept',
  'acquire',
  'amend',
  'begin',
  'blame',
  'bind',
  'call_person',
  'change_account',
  'create_account',
  'digests',
  'dispatch',
  'expire',
  'done',
  'login_lock',
  'receipt',
  'park',
  'remove',
  'remove_account',
  'renew',
  'settle',
  'tickets',
  'transition',
  'want',
] as const

type ScriptName = (typeof names)[number]
type Argument = string | number

/** Runs one of our scripts. Its arguments and answers are described at the top of its file. */
export type RunScript = (name: ScriptName, ...args: Argument[]) => Promise<unknown>

const read = (name: string): string => readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')

const lib = read('lib')

/** Loaded once per process; each Redis connection sends a script's text once and its digest from then on. */
const sources = new Map(names.map((name) => [name, `${lib}\n${read(name)}`]))

const commandOf = (name: ScriptName): string => `stevedore_${name}`

const EVENTS = 10_000

/**
 * Atomic changes of records: the only way to change state, indexes, counters and owners. The event log that they
 * write keeps about the last `retainEvents`.
 */
export function createScripts(redis: Redis, keys: Keys, retainEvents = EVENTS): RunScript {
  for (const [name, text] of sources) {
    const lua = `local RETAIN_EVENTS = ${retainEvents}\n${text}`
    redis.defineCommand(commandOf(name), { numberOfKeys: 1, lua })
  }
  // Commands that defineCommand adds are not in the type of the client.
  // eslint-disable-next-line typescript/no-unsafe-type-assertion
  const commands = redis as unknown as Record<string, (...args: Argument[]) => Promise<unknown>>
  return async (name, ...args) => {
    const command = commands[commandOf(name)]
    if (command === undefined) throw new Error(`No script is called ${name}`)
    return command.call(redis, keys.uploads, keys.prefix, ...args)
  }
}
