import { z } from 'zod'
import { parsedOnce } from '../parsed.ts'
import type { AccountAccess } from '../provider.ts'
import { text, unicode } from '../text.ts'
import { TOTP_SECRET } from '../totp.ts'
import { acceptedUri } from './site/uri.ts'

const HOUR = 3_600_000

/** The default life of a site's upload sessions: whoever has not ended by then can not end any more. */
const SESSION_LIFE_MS = 24 * HOUR

/** Where the site is, from its own address or from that of any of its pages. */
const siteUrl = (given: string): string => {
  const { origin, pathname } = new URL(given)
  return `${origin}${pathname}`.replace(/\/(api\/v4|home|session)(\/.*)?$/, '').replace(/\/+$/, '')
}

const baseUrl = z
  .url({
    protocol: /^https?$/,
    error: 'must be an http(s) URL, such as https://drive.example.org',
    abort: true,
  })
  .refine(
    (url) => new URL(url).username === '',
    'must hold no user name or password: they belong in `email` and `password`',
  )
  .transform(siteUrl)

const credentialShape = {
  email: text(254)
    .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')
    .optional(),
  password: unicode(128).min(4).optional(),
  totpSecret: z
    .string()
    .max(500)
    .regex(TOTP_SECRET, 'must be a base32 secret or an otpauth:// URI')
    .optional(),
  refreshToken: z
    .string()
    .trim()
    .max(8000)
    .regex(/^[\x21-\x7e]+$/, 'must be the value of `refresh_token` of a login made in a browser')
    .optional(),
  purchaseTicket: z
    .string()
    .max(500)
    .regex(/^[\x21-\x7e]+$/, 'must be the ticket that the site gave when the share was paid for')
    .optional(),
}

const settingShape = {
  baseUrl,
  onForeign: z.enum(['wait', 'delete', 'fail']).default('wait'),
  foreignWaitMs: z
    .int()
    .min(0)
    .max(168 * HOUR)
    .default(SESSION_LIFE_MS),
  etagCheck: z.enum(['strict', 'opaque']).default('strict'),
}

export const credentials = z.object(credentialShape)
export const settings = z.object(settingShape)

export const accountRequest = z
  .strictObject({ ...credentialShape, ...settingShape })
  .superRefine(({ email, password, refreshToken }, context) => {
    const refuse = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message })
    }
    if (email === undefined && password === undefined) {
      if (refreshToken === undefined) refuse('email', 'give `email` and `password`, or a `refreshToken`')
      return
    }
    if (email === undefined) refuse('email', 'is missing: a `password` needs its `email`')
    if (password === undefined) refuse('password', 'is missing: an `email` needs its `password`')
  })

/** The account's settings, parsed once for as long as it is worked with. */
export const settingsOf = (account: { readonly settings: unknown }): Settings =>
  readSettings(account.settings)

const readSettings = parsedOnce(settings)

/** The credentials as the account was last seen with, parsed as often as they are others. */
export const seenCredentials = (account: AccountAccess): Credentials =>
  readCredentials(account.seen.credentials())

const readCredentials = parsedOnce(credentials)

// The site refuses other categories; `sys` it keeps to itself.
const metadataKey = text(255).regex(
  /^(customize|tag|props|thumb|dav):./,
  'must begin with a category of Cloudreve: customize:, tag:, props:, thumb: or dav:',
)

const destination = z.strictObject({
  uri: z.string().superRefine((given, context) => {
    const problem = acceptedUri(given)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  }),
  onConflict: z.enum(['version', 'fail', 'rename', 'skip']).default('version'),
  policyId: z
    .string()
    .regex(/^[A-Za-z0-9]{1,64}$/, 'must be the id of a storage policy, such as 4mIL')
    .optional(),
  metadata: z
    .record(metadataKey, unicode(10_000))
    .refine((entries) => Object.keys(entries).length <= 256, 'has more than 256 entries')
    .optional(),
})

export const uploadRequest = z.strictObject({
  destination,
  onUnchanged: z.enum(['skip', 'upload']).default('skip'),
  verify: z.literal('download').optional(),
})

export type Credentials = z.infer<typeof credentials>
export type Settings = z.infer<typeof settings>
export type UploadRequest = z.infer<typeof uploadRequest>
