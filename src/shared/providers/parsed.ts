import type { z } from 'zod'
import type { AccountAccess } from './provider.ts'

/** Reads by the schema what was kept as JSON, once for as long as that very value is worked with. */
export const parsedOnce = <T extends object>(schema: z.ZodType<T>): ((given: unknown) => T) => {
  const parsed = new WeakMap<object, T>()
  return (given) => {
    if (typeof given !== 'object' || given === null) return schema.parse(given)
    const known = parsed.get(given)
    if (known !== undefined) return known
    const read = schema.parse(given)
    parsed.set(given, read)
    return read
  }
}

/** What `read` makes of an account's login as it was last seen: once for all calls that use the same. */
export const seenOnce = <T>(
  read: (account: AccountAccess, login: string) => T | undefined,
): ((account: AccountAccess) => T | undefined) => {
  const opened = new WeakMap<AccountAccess, { readonly login: string; readonly read: T | undefined }>()
  return (account) => {
    const login = account.seen.login()
    if (login === undefined) return undefined
    const known = opened.get(account)
    if (known?.login === login) return known.read
    const made = read(account, login)
    opened.set(account, { login, read: made })
    return made
  }
}
