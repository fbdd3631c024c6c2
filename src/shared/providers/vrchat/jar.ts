import { CookieJar } from 'tough-cookie'
import { z } from 'zod'

/** A tough-cookie jar in its serialized form. Holds secrets. */
export type Jar = string

const stored = z.object({
  v: z.literal(1),
  /** Fully logged in, as far as we know. */
  jar: z.string().optional(),
  /** Password accepted, second factor missing: its cookie opens nothing but the code's endpoint. */
  pending: z.object({ jar: z.string(), methods: z.array(z.string()) }).optional(),
  /** Fingerprint of the imported cookie that was tried last, so that a dead one is not tried again. */
  imported: z.string().optional(),
})

export type StoredLogin = z.infer<typeof stored>

export const parseLogin = (text: string | undefined): StoredLogin =>
  text === undefined ? { v: 1 } : stored.parse(JSON.parse(text))

const emptyJar = (): Jar => JSON.stringify(new CookieJar().serializeSync())

// Expired ones too: VRChat's expiry dates say little, its 401 says it all. Cleared ones are empty.
const cookiesOf = (jar: Jar, url: string): readonly { readonly key: string; readonly value: string }[] =>
  CookieJar.deserializeSync(jar)
    .getCookiesSync(url, { expire: false })
    .filter(({ value }) => value !== '')

/** The `Cookie` header for this URL; empty when there is nothing to send. */
export const cookieHeader = (jar: Jar, url: string): string =>
  cookiesOf(jar, url)
    .map(({ key, value }) => `${key}=${value}`)
    .join('; ')

export const cookieValue = (jar: Jar, url: string, name: string): string | undefined =>
  cookiesOf(jar, url).find(({ key }) => key === name)?.value

/** The jar after an answer; cookies are kept for the very host that set them. */
export const withSetCookies = (jar: Jar, url: string, setCookies: readonly string[]): Jar => {
  const cookies = CookieJar.deserializeSync(jar)
  for (const header of setCookies) cookies.setCookieSync(header, url, { ignoreError: true })
  return JSON.stringify(cookies.serializeSync())
}

/** What a new login may keep: with this cookie VRChat does not ask for the second factor again. */
export const secondFactorOnly = (jar: Jar | undefined, url: string): Jar => {
  const cookie = jar === undefined ? undefined : cookieValue(jar, url, 'twoFactorAuth')
  return cookie === undefined
    ? emptyJar()
    : withSetCookies(emptyJar(), url, [`twoFactorAuth=${cookie}; Path=/`])
}

/** A jar from what a person copied out of a browser: the bare value, or `auth=…; twoFactorAuth=…`. */
export const importedJar = (text: string, url: string): Jar => {
  const pairs = text.includes('auth=') ? text.split(';').map((pair) => pair.trim()) : [`auth=${text.trim()}`]
  const known = pairs.filter((pair) => /^(auth|twoFactorAuth)=/.test(pair))
  return withSetCookies(
    emptyJar(),
    url,
    known.map((pair) => `${pair}; Path=/`),
  )
}
