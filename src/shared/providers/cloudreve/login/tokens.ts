import { z } from 'zod'

const tokens = z.object({
  access: z.string(),
  refresh: z.string(),
  /** In ms since 1970, all by the site's clock. */
  since: z.number(),
  accessUntil: z.number(),
})

const stored = z.object({
  v: z.literal(1),
  tokens: tokens.optional(),
  /** Password accepted, code missing: its session opens nothing but the code's endpoint. */
  pending: z.object({ session: z.string() }).optional(),
  /** A picture was shown to a person, who may answer it by this ticket. */
  captcha: z.object({ ticket: z.string() }).optional(),
  /** Fingerprint of the imported refresh token that was tried last, so that a dead one is not tried again. */
  imported: z.string().optional(),
})

/** A login at a site. Holds secrets. */
export type Tokens = z.infer<typeof tokens>
export type StoredLogin = z.infer<typeof stored>

export const parseLogin = (text: string | undefined): StoredLogin =>
  text === undefined ? { v: 1 } : stored.parse(JSON.parse(text))

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

/** A token pair as the site issues it. be:pkg/auth/jwt.go@0bb0ab83 */
export const tokenAnswer = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  access_expires: time,
})

/** `now` by the site's clock. */
export const tokensOf = (answer: z.infer<typeof tokenAnswer>, now: number): Tokens => ({
  access: answer.access_token,
  refresh: answer.refresh_token,
  since: now,
  accessUntil: answer.access_expires,
})

// As early as the site's own web client, but not at once when tokens are made to last for minutes.
const EARLY_MS = 10 * 60_000

/**
 * Whether it is time for a new token, before the old one ends: an outdated one makes us nobody, and the site then says
 * that an upload session is gone, not that the login is. Times in ms by the site's clock. fe:src/session@19da0fe
 */
export const isDue = ({ since, accessUntil }: Tokens, now: number): boolean =>
  accessUntil - now < Math.min(EARLY_MS, (accessUntil - since) / 2)
