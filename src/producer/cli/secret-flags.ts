import { UsageError } from './errors.ts'

/** Names a person might try, and the way that there is instead. */
const instead: Readonly<Record<string, string>> = {
  password: 'set VRCHAT_PASSWORD, use --password-stdin',
  'totp-secret': 'set VRCHAT_TOTP_SECRET, use --totp-secret-stdin',
  'auth-cookie': 'set VRCHAT_AUTH_COOKIE, use --cookie-stdin',
  'api-key': 'set VRCHAT_API_KEY, use --api-key-stdin',
  token: 'set STEVEDORE_TOKEN, use --token-file',
  code: 'set VRCHAT_CODE, use --code-stdin',
}

/**
 * Throws `UsageError` for a secret on the command line, without repeating it: other users of the machine see
 * it there, and the shell keeps it in its history.
 */
export const refuseSecretFlags = (argv: readonly string[]): void => {
  const end = argv.indexOf('--')
  for (const arg of end === -1 ? argv : argv.slice(0, end)) {
    const name = /^--([^=]+)/.exec(arg)?.[1] ?? ''
    const [way] = Object.hasOwn(instead, name) ? [instead[name]] : []
    if (way === undefined) continue
    const asked = name === 'token' ? '' : ', or leave it out and be asked'
    throw new UsageError(
      `--${name} is not taken: other users of this machine could read it, and shells keep it. ` +
        `Instead, ${way}${asked}. Change the secret if it was a real one`,
    )
  }
}
