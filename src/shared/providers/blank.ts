// Shorter ones would blank half of every message, and are no secrets worth the name.
const SHORTEST_SECRET = 4

/** The text without these secrets, however often an answer quoted them; JSON stays JSON. */
export const blank = (text: string, secrets: readonly string[]): string => {
  const forms = secrets
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, quoted(secret)])
  const without = (part: string): string => forms.reduce((rest, form) => rest.replaceAll(form, '…'), part)
  try {
    // Read first: JSON has many ways to write the same character.
    const read: unknown = JSON.parse(text, (_, value: unknown) =>
      typeof value === 'string' ? without(value) : value,
    )
    return without(JSON.stringify(read))
  } catch {
    return without(text)
  }
}

const quoted = (secret: string): string => JSON.stringify(secret).slice(1, -1)

/** The text without what looks like a token or a signed query, whoever's they are. */
export const withoutTokens = (text: string): string =>
  text.replace(/(https?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1?…').replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, 'eyJ…')
