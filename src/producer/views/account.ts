import { z } from 'zod'
import { type AccountRecord, accountStates } from '#shared/accounts/records.ts'
import { redact } from '#shared/secrets.ts'
import { time } from './time.ts'

/** An account as the API shows it: the provider's settings stand beside these fields, secrets nowhere. */
export const accountView = z
  .looseObject({
    id: z.string(),
    provider: z.string(),
    state: z.enum(accountStates).meta({ description: 'Anything but `ready` waits for a person' }),
    stateReason: z.string().nullable(),
    challengeMethods: z
      .array(z.string())
      .meta({ description: 'How the code may be given, if one is asked for' }),
    limits: z.object({
      maxActiveUploads: z.int(),
      partsAtOnce: z.int(),
      callsAtOnce: z.int(),
      callSpacingMs: z.int(),
    }),
    parked: z
      .object({ until: z.string(), why: z.string() })
      .nullable()
      .meta({ description: 'The provider asked for a pause' }),
    activeUploads: z.int(),
    createdAt: z.string(),
  })
  .meta({ id: 'Account', description: "The provider's own settings stand beside these fields" })

export type AccountView = z.infer<typeof accountView>

const settings = z.record(z.string(), z.unknown())

export function showAccount(
  record: AccountRecord,
  now: {
    readonly parked: { readonly ms: number; readonly why: string } | undefined
    readonly activeUploads: number
  },
): AccountView {
  const { id, provider, state, stateReason, challengeMethods, limits, createdAt } = record
  const { parked, activeUploads } = now
  return {
    ...settings.parse(record.settings),
    id,
    provider,
    state,
    challengeMethods,
    limits,
    activeUploads,
    stateReason: stateReason === '' ? null : redact(stateReason),
    parked: parked === undefined ? null : { until: time(Date.now() + parked.ms), why: redact(parked.why) },
    createdAt: time(createdAt),
  }
}
