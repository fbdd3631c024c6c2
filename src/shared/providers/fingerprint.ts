import { createHash } from 'node:crypto'

/** Tells secrets apart without keeping them: 32 hex digits. */
export const fingerprint = (secret: string): string =>
  createHash('sha256').update(secret).digest('hex').slice(0, 32)
