import { extname } from 'node:path'
import { z } from 'zod'
import { parsedOnce } from '../parsed.ts'
import type { AccountAccess } from '../provider.ts'
import { text, unicode } from '../text.ts'
import { TOTP_SECRET } from '../totp.ts'

const MIB = 1024 * 1024
const HOUR = 3_600_000

/** What VRChat's own SDK sends per extension; docs/vrchat.md, MIME types, so JPEGs are `image/jpg`. */
const MIME_BY_EXTENSION: Readonly<Record<string, string>> = {
  '.vrcw': 'application/x-world',
  '.vrca': 'application/x-avatar',
  '.vrcp': 'application/x-prop',
  '.unitypackage': 'application/gzip',
  '.gz': 'application/gzip',
  '.jpg': 'image/jpg',
  '.png': 'image/png',
  '.sig': 'application/x-rsync-signature',
  '.delta': 'application/x-rsync-delta',
  '.dll': 'application/x-msdownload',
}

/** Of the signature blob, whatever the File itself is. */
export const SIGNATURE_MIME = 'application/x-rsync-signature'

const baseUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
  .transform((url) => url.replace(/\/+$/, ''))

// VRChat refuses software that does not say whom to ask, and this address in particular:
// docs/vrchat.md, User-Agent.
const contact = text(200)
  .min(3)
  .regex(/^[\x20-\x7e]+$/, 'must be plain ASCII: it is sent in the User-Agent header')
  .regex(/@|https?:\/\//, 'must be an e-mail address or a URL where you can be reached')
  .refine((value) => !/example\.(com|org|net)/i.test(value), 'VRChat refuses contacts at example.com')

const credentialShape = {
  username: text(200).min(1).optional(),
  password: unicode(500).min(1).optional(),
  totpSecret: z
    .string()
    .max(500)
    .regex(TOTP_SECRET, 'must be a base32 secret or an otpauth:// URI')
    .optional(),
  authCookie: z
    .string()
    .max(4000)
    .regex(/^[\x21-\x7e ]+$/, 'must be the value of the auth cookie, or `auth=…; twoFactorAuth=…`')
    .optional(),
  apiKey: z
    .string()
    .max(200)
    .regex(/^[\w-]+$/)
    .optional(),
}

const settingShape = {
  baseUrl: baseUrl.default('https://api.vrchat.cloud/api/1'),
  contact,
  onForeign: z.enum(['wait', 'delete', 'fail']).default('wait'),
  foreignWaitMs: z
    .int()
    .min(0)
    .max(168 * HOUR)
    .default(HOUR),
  etagCheck: z.enum(['strict', 'opaque']).default('strict'),
  // S3 refuses smaller parts but for the last; only other servers with this API may take less.
  minPartSize: z
    .int()
    .min(1)
    .max(100 * MIB)
    .default(5 * MIB),
}

const acknowledged = z.literal(true, {
  error:
    "must be true: VRChat's creator guidelines restrict third-party software that uploads on a user's behalf; " +
    'say that you have read them and use this with your own account',
})

export const credentials = z.object(credentialShape)
export const settings = z.object(settingShape)

/** The account's settings, parsed once for as long as it is worked with. */
export const settingsOf = (account: { readonly settings: unknown }): Settings =>
  readSettings(account.settings)

const readSettings = parsedOnce(settings)

/** The credentials as the account was last seen with, parsed as often as they are others. */
export const seenCredentials = (account: AccountAccess): Credentials =>
  readCredentials(account.seen.credentials())

const readCredentials = parsedOnce(credentials)

export const accountRequest = z.strictObject({ ...credentialShape, ...settingShape, acknowledged })

const fileId = z
  .string()
  .toLowerCase()
  .regex(/^file_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'must look like file_<uuid>')

const destination = z
  .strictObject({
    fileId: fileId.optional(),
    name: text(250).trim().min(1).normalize('NFC').optional(),
    mimeType: text(100)
      .regex(/^[\w.+-]+\/[\w.+-]+$/, 'must be a MIME type such as application/x-avatar')
      .optional(),
    extension: z
      .string()
      .regex(/^\.?[A-Za-z0-9]{1,16}$/, 'must be an extension such as .vrca')
      .optional(),
    tags: z.array(text(100).min(1)).max(20).optional(),
  })
  .superRefine((value, context) => {
    const refuse = (path: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [path], message })
    }
    if (value.fileId === undefined && value.name === undefined) refuse('fileId', 'give a fileId or a name')
    if (value.fileId === undefined) return
    for (const key of ['name', 'mimeType', 'extension', 'tags'] as const) {
      if (value[key] !== undefined) refuse(key, 'belongs to a new File and cannot be given beside a fileId')
    }
  })

export const uploadRequest = z.strictObject({
  destination,
  newFile: z.boolean().default(false),
  onUnchanged: z.enum(['skip', 'upload']).default('skip'),
  partSize: z.int().min(1).optional(),
  verify: z.literal('download').optional(),
})

export type Credentials = z.infer<typeof credentials>
export type Settings = z.infer<typeof settings>
export type UploadRequest = z.infer<typeof uploadRequest>

/** What a File is created with. The extension has its dot, so that lost creations can be compared. */
export const fileTraits = (
  request: UploadRequest,
  fileName: string,
): { name: string; extension: string; mimeType: string; tags?: readonly string[] } => {
  const { name = fileName, mimeType, extension, tags } = request.destination
  const dotted = `.${(extension ?? extname(fileName)).replace(/^\./, '')}`
  // VRChat wants at least one character.
  const suffix = /^\.[A-Za-z0-9]{1,16}$/.test(dotted) ? dotted : '.bin'
  return {
    name,
    extension: suffix,
    mimeType: mimeType ?? MIME_BY_EXTENSION[suffix.toLowerCase()] ?? 'application/octet-stream',
    ...(tags && { tags }),
  }
}
