import { z } from 'zod'
import type { Limits } from '../providers/provider.ts'

const limits = z.object({
  maxActiveUploads: z.number().int().min(1).max(1000),
  partsAtOnce: z.number().int().min(1).max(64),
  callsAtOnce: z.number().int().min(1).max(64),
  callSpacingMs: z.number().int().min(0).max(60_000),
})

/** Limits of an account as a request may set them; what is left out is the provider's default. */
export const limitsRequest = limits.partial().strict()

export const accountStates = ['ready', 'needs-login', 'needs-2fa'] as const
export type AccountState = (typeof accountStates)[number]

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('no JSON')
    return z.NEVER
  }
})

/** An account as Redis keeps it. Its secrets are encrypted. */
const accountRecord = z.object({
  id: z.string(),
  provider: z.string(),
  settings: json,
  limits: json.pipe(limits),
  state: z.enum(accountStates),
  stateReason: z.string().default(''),
  /** How a second factor may be given, while the account waits for one. */
  challengeMethods: json.pipe(z.array(z.string())).default([]),
  /** Goes up with everything that a person does for its login. */
  loginSeq: z.coerce.number().default(0),
  createdAt: z.coerce.number(),
  credentials: z.string().exactOptional(),
  login: z.string().exactOptional(),
})

export type AccountRecord = z.infer<typeof accountRecord>

/** `undefined` for an account that is not there, or damaged: the others must go on, and it can be removed. */
export const parseAccount = (fields: Record<string, string>): AccountRecord | undefined =>
  accountRecord.safeParse(fields).data

export const settingsFields = ({ settings, limits }: { settings: unknown; limits: Limits }) => ({
  settings: JSON.stringify(settings),
  limits: JSON.stringify(limits),
  // Flat as well: dispatch reads it in a script.
  maxActiveUploads: String(limits.maxActiveUploads),
})
