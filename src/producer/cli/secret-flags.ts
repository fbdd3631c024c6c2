import { forms } from '#shared/providers/forms.ts'
import { UsageError } from './errors.ts'
import { stdinFlag } from './account-options.ts'

/** `authCookie` as a flag would be written: `auth-cookie`. */
const asFlag = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** Secrets by the names that a person might try, the variables that there are instead, and the flag. */
const secrets = forms.flatMap(({ account: { fields, codeEnv } }) => [
  ...fields
    // A login made elsewhere has a flag without a value, which as such is no secret.
    .filter(({ name, flag, isSecret, by }) => isSecret && !(by === 'import' && asFlag(name) === flag))
    .map((field) => ({ name: asFlag(field.name), env: field.env, flag: `--${stdinFlag(field)}` })),
  { name: 'code', env: codeEnv, flag: '--code-stdin' },
])

const wayOf = (name: string): string | undefined => {
  if (name === 'token') return 'set STEVEDORE_TOKEN, use --token-file'
  const found = secrets.filter((secret) => secret.name === name)
  if (found.length === 0) return undefined
  const [variables, flags] = [found.map(({ env }) => env), new Set(found.map(({ flag }) => flag))]
  return `set ${variables.join(' or ')}, use ${[...flags].join(' or ')}, or leave it out and be asked`
}

/**
 * Throws `UsageError` for a secret on the command line, without repeating it: other users of the machine see
 * it there, and the shell keeps it in its history.
 */
export const refuseSecretFlags = (argv: readonly string[]): void => {
  const end = argv.indexOf('--')
  for (const arg of end === -1 ? argv : argv.slice(0, end)) {
    const name = /^--([^=]+)/.exec(arg)?.[1] ?? ''
    const way = wayOf(name)
    if (way === undefined) continue
    throw new UsageError(
      `--${name} is not taken: other users of this machine could read it, and shells keep it. ` +
        `Instead, ${way}. Change the secret if it was a real one`,
    )
  }
}
