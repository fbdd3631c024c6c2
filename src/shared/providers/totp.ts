import { TOTP, URI } from 'otpauth'
import { NeedsPerson } from '#shared/errors.ts'

/** What a stored TOTP secret may look like. */
export const TOTP_SECRET = /^(otpauth:\/\/totp\/.+|[A-Za-z2-7 =-]{8,})$/

/** The code for this moment of the server's clock, and how long it stays the current one. */
export const totpCode = (secret: string, timestamp: number): { code: string; leftMs: number } => {
  const totp = secret.startsWith('otpauth:')
    ? URI.parse(secret)
    : new TOTP({ secret: secret.replace(/[\s=-]/g, '').toUpperCase() })
  if (!(totp instanceof TOTP))
    throw new NeedsPerson('needs-2fa', 'the stored TOTP secret is for counted codes')
  return { code: totp.generate({ timestamp }), leftMs: totp.remaining({ timestamp }) }
}
