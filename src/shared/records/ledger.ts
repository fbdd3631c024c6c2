import { z } from 'zod'
import type { Version } from '../providers/provider.ts'
import type { Fingerprint } from '../sources/fingerprint.ts'
import { fingerprint, version } from './upload.ts'

/** A ledger entry: a version, and the source it was made of. */
export interface LedgerEntry extends Version {
  readonly upload: string
  readonly fingerprint: Fingerprint
}

const ledgerEntry = version.extend({ upload: z.string(), fingerprint })

export const parseLedgerEntry = (text: string): LedgerEntry => ledgerEntry.parse(JSON.parse(text))
