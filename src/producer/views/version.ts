import { z } from 'zod'
import type { Version } from '#shared/providers/provider.ts'
import type { LedgerEntry } from '#shared/records/ledger.ts'
import { time } from './time.ts'

export const versionFields = {
  remoteId: z.string(),
  number: z.int(),
  size: z.int(),
  md5: z.string().meta({ description: 'Lower-case hex' }),
  url: z.string().nullable(),
  completedAt: z.string(),
}

/** A line of the ledger as the API shows it. */
export const ledgerItem = z
  .object({ ...versionFields, upload: z.string() })
  .meta({ id: 'Version', description: 'A finished upload in the ledger' })

type VersionView = z.infer<z.ZodObject<typeof versionFields>>

export const versionView = ({ remoteId, number, size, md5, url, completedAt }: Version): VersionView => ({
  remoteId,
  number,
  size,
  md5,
  url: url ?? null,
  completedAt: time(completedAt),
})

export const showLedgerEntry = (entry: LedgerEntry): z.infer<typeof ledgerItem> => ({
  ...versionView(entry),
  upload: entry.upload,
})
