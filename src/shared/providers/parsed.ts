import type { z } from 'zod'

/** Reads an account's settings by their schema, once for as long as the account is worked with. */
export const createSettingsOf = <T extends object>(
  schema: z.ZodType<T>,
): ((account: { readonly settings: unknown }) => T) => {
  const parsed = new WeakMap<object, T>()
  return (account) => {
    const known = parsed.get(account)
    if (known !== undefined) return known
    const read = schema.parse(account.settings)
    parsed.set(account, read)
    return read
  }
}
