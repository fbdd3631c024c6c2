import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomBytes } from 'node:crypto'

export interface Secrets {
  /** Names the key without telling anything about it. */
  readonly keyId: string
  /** `associated` binds the secret to its owner: it can only be read back with the same. */
  readonly encrypt: (plain: string, associated: string) => string
  /** Throws, never with content, when key or owner differ or anything was changed. */
  readonly decrypt: (sealed: string, associated: string) => string
}

const nonceBytes = 12
const tagBytes = 16

/** AES-256-GCM under one key of 32 bytes; sealed texts look like `v1.<keyId>.<base64url>`. */
export function createSecrets(key: Uint8Array): Secrets {
  if (key.length !== 32) throw new Error('The secret key must be 32 bytes long')
  const keyId = keyIdOf(key)
  // Prepared once: every job opens a login.
  const secretKey = createSecretKey(key)
  return {
    keyId,
    encrypt: (plain, associated) => {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', secretKey, nonce).setAAD(Buffer.from(associated))
      const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `v1.${keyId}.${sealed.toString('base64url')}`
    },
    decrypt: (sealed, associated) => {
      const bytes = unwrap(sealed, keyId)
      const tag = bytes.subarray(-tagBytes)
      const nonce = bytes.subarray(0, nonceBytes)
      const decipher = createDecipheriv('aes-256-gcm', secretKey, nonce)
        .setAAD(Buffer.from(associated))
        .setAuthTag(tag)
      try {
        return (
          decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
        )
      } catch {
        throw new Error('A stored secret was changed, or belongs to something else')
      }
    },
  }
}

/** The first 8 bytes of the key's SHA-256, in hex. */
export function keyIdOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16)
}

function unwrap(sealed: string, keyId: string): Buffer {
  const [version, sealedWith, content, ...rest] = sealed.split('.')
  if (version !== 'v1' || content === undefined || rest.length > 0)
    throw new Error('This is no stored secret')
  if (sealedWith !== keyId) {
    throw new Error(`A stored secret was encrypted with another key (${sealedWith}; ours is ${keyId})`)
  }
  const bytes = Buffer.from(content, 'base64url')
  if (bytes.length < nonceBytes + tagBytes) throw new Error('A stored secret is cut short')
  return bytes
}

/** 32 bytes written as hex, base64 or base64url; undefined for anything else. */
export function parseSecretKey(text: string): Buffer | undefined {
  if (/^[\da-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  if (/^[\w+/-]{43}=?$/.test(text)) return Buffer.from(text, 'base64')
  return undefined
}

const secretFields =
  '(?:proxy-)?authorization|cookie|password|passwd|secret|purchase_ticket|(?:access_|refresh_|captcha_)?token'

// Log lines pass through here as JSON, so none may eat a quote that it did not open; and any text, however
// hostile, has to take time in proportion to its length: no pattern looks on from where another try looked.
const secretPatterns: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /([?&](?:X-[a-z]{1,9}-)?(?:Signature|Sign|Sig|Credential|Security-Token|Token|Auth)=)[^\s"'\\&<>]+/gi,
    '$1[redacted]',
  ],
  [
    new RegExp(`("(?:${secretFields}|set-cookie)"\\s{0,9}:\\s{0,9}")(?:[^"\\\\]|\\\\.)+`, 'gi'),
    '$1[redacted]',
  ],
  [/("set-cookie"\s{0,9}:\s{0,9}\[)(?:"(?:[^"\\]|\\.)*",?\s{0,9})+/gi, '$1"[redacted]"'],
  [
    /(\b(?:authorization|(?:set-)?cookie)\s{0,9}[:=]\s{0,9})(?!\s{0,9}\[redacted)[^"'\r\n\\]+/gi,
    '$1[redacted]',
  ],
  [/(\b(?:Bearer|Basic|UpToken)\s{1,9})[\w.~+/:=-]{8,}/gi, '$1[redacted]'],
  [/\bauthcookie_[\w-]+/gi, 'authcookie_[redacted]'],
  [/\b(auth|twoFactorAuth)=[^\s"'\\;,]+/g, '$1=[redacted]'],
  // JSON in base64: the tokens of most services.
  [/\beyJ[\w.-]{16,}/g, '[redacted]'],
]

/** The text without signed URLs' queries, credentials, cookies and tokens. For logs and error messages. */
export function redact(text: string): string {
  const withoutUrls = text.replace(/[a-z][a-z\d+.-]{0,20}:\/\/[^\s"'\\<>]+/gi, redactUrl)
  return secretPatterns.reduce(
    (redacted, [pattern, replacement]) => redacted.replace(pattern, replacement),
    withoutUrls,
  )
}

// A signed URL's secret is in its query, under a name of each provider's own: nothing of it is kept.
function redactUrl(url: string): string {
  const [address, query] = split(url, '?')
  const [scheme, rest = ''] = split(address, '://')
  const [authority, path = ''] = split(rest, '/')
  const host = authority.includes('@')
    ? `[redacted]${authority.slice(authority.lastIndexOf('@'))}`
    : authority
  return `${scheme}://${host}${rest === authority ? '' : '/'}${path}${query === undefined ? '' : '?[redacted]'}`
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + separator.length)]
}
