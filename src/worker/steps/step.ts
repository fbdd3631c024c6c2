import type { Access } from '#shared/accounts/access.ts'
import type {
  AccountAccess,
  Limits,
  Provider,
  Session,
  StillOurs,
  UploadView,
  Version,
} from '#shared/providers/provider.ts'
import type { Queues } from '#shared/queues.ts'
import type { Parts } from '#shared/records/parts.ts'
import type { Tickets } from '#shared/records/tickets.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import { modifiedAt } from '#shared/sources/fingerprint.ts'
import type { Contents } from '../contents.ts'
import type { Running } from '../run.ts'
import type { Sender } from '../send.ts'

/** What every step works with. */
export interface StepDeps {
  readonly uploads: Uploads
  readonly parts: Parts
  readonly tickets: Tickets
  readonly queues: Queues
  readonly access: Access
  readonly contents: Contents
  readonly sender: Sender
}

/** What a step is given beside its record. */
export interface StepContext {
  readonly provider: Provider
  readonly account: AccountAccess
  readonly limits: Limits
  /** By Redis's clock, in ms since 1970. */
  readonly now: () => number
  /** Too many processes died cleaning up after this upload: it ends as it is. */
  readonly hopeless: boolean
  readonly signal: AbortSignal
  /** The run of the upload's job. Its own signal ends it; `signal` also ends with the upload. */
  readonly running: Running
}

/**
 * Does what is missing and writes the record: answers it as it is now, `again` when it has to be read anew, `wait`
 * when its parts have to be waited for.
 */
export type Step = (record: UploadRecord, context: StepContext) => Promise<Moved>
export type Moved = UploadRecord | 'again' | 'wait'

/** The opened session; a state without one is a bug. */
export function sessionOf(record: UploadRecord): Session {
  if (record.session === undefined) throw new Error(`${record.id} is ${record.state} without a session`)
  return record.session
}

/** The upload as its provider sees it. */
export function viewOf(
  record: UploadRecord,
  known: { readonly boundTo?: string | undefined; readonly unchangedSince?: Version | undefined } = {},
): UploadView {
  const { id, epoch, request, fileName, size, hashes, fingerprint } = record
  return {
    id,
    epoch,
    request,
    fileName,
    size,
    ...(fingerprint !== undefined && { modifiedAt: modifiedAt(fingerprint) }),
    ...(hashes !== undefined && { hashes }),
    ...(known.boundTo !== undefined && { boundTo: known.boundTo }),
    ...(known.unchangedSince !== undefined && { unchangedSince: known.unchangedSince }),
  }
}

/** Asked right before something remote is removed: a late run of an old epoch must never do it. */
export const stillOurs =
  (uploads: Uploads, record: UploadRecord): StillOurs =>
  async () => {
    const [now, owner] = await Promise.all([uploads.read(record.id), uploads.owner(record.destination)])
    return now?.epoch === record.epoch && owner === record.id
  }

/** Ends the upload as completed, its version in the ledger. */
export async function complete(
  { uploads, contents }: StepDeps,
  record: UploadRecord,
  version: Version,
): Promise<UploadRecord> {
  if (record.fingerprint === undefined) throw new Error(`${record.id} completed without a fingerprint`)
  const completed = await uploads.transition(
    record,
    { state: 'completed', version },
    {
      remove: ['failure'],
      ledger: { ...version, upload: record.id, fingerprint: record.fingerprint },
    },
  )
  await contents.forget(record)
  return completed
}
