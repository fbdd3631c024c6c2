import type { Io } from './io.ts'
import { askSecret } from './terminal/prompt.ts'
import { createStdinLines } from './terminal/stdin-lines.ts'

/** A secret that is wanted: what it is called and asked for, and where it may come from. */
export interface Wanted {
  readonly name: string
  readonly question: string
  readonly env?: string | undefined
  /** Read the next line of standard input. */
  readonly fromStdin: boolean
  /** Name of the flag that does it, for the message. */
  readonly flag: string
}

export interface Secrets {
  /** From standard input or the environment; undefined when it is in neither. */
  readonly given: (wanted: Wanted) => Promise<string | undefined>
  /** Given, or asked for without being shown. Throws `UsageError` when there is nobody to ask. */
  readonly need: (wanted: Wanted) => Promise<string>
  /** All that were handed out, so that they can be kept out of messages. */
  readonly seen: readonly string[]
}

/** Secrets by standard input, environment or prompt, in this order; never by the command line. */
export const createSecrets = (io: Io): Secrets => {
  const lines = createStdinLines(io)
  const seen: string[] = []
  const keep = (secret: string): string => {
    seen.push(secret)
    return secret
  }
  const given: Secrets['given'] = async ({ name, env = '', fromStdin }) => {
    if (fromStdin) return keep(await lines.next(name))
    const value = io.env[env]
    return value === undefined || value === '' ? undefined : keep(value)
  }
  return {
    given,
    need: async (wanted) => {
      const { name, question, env, flag } = wanted
      const missing = `The ${name} is missing, and nobody can be asked here: ${env === undefined ? '' : `set ${env} or `}use --${flag}`
      return (await given(wanted)) ?? keep(await askSecret(io, question, missing))
    },
    seen,
  }
}
