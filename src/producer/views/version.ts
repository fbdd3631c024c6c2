import { z } from 'zod'
import type { Version } from '#shared/providers/provider.ts'
import type { LedgerEntry } from '#shared/records/ledger.ts'
import { time } from './time.ts'

export const versionNumber = z
  .union([z.int(), z.string()])
  .meta({ description: 'As the provider has it: counted, or an id of its own' })

export const versionFields = {
  remoteId: z.string().meta({ description: "The provider's id of the file" }),
  number: versionNumber,
  size: z.int(),
  md5: z.string().nullable().meta({ description: 'Lower-case hex; null where it was never made' }),
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
  md5: md5 ?? null,
  url: url ?? null,
  completedAt: time(completedAt),
})

export const showLedgerEntry = (entry: LedgerEntry): z.infer<typeof ledgerItem> => ({
  ...versionView(entry),
  upload: entry.upload,
})
