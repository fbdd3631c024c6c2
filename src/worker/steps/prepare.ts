import { FatalError, StartOver, TryLater } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { Inspection, Kept, SaveDraft, Session, Version } from '#shared/providers/provider.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { sameFingerprint } from '#shared/sources/fingerprint.ts'
import { stillOurs, viewOf } from './step.ts'
import type { Moved, Step, StepContext, StepDeps } from './step.ts'
import { completeIfWhole, differenceOf } from './verify.ts'

/** How long to stand back when another upload just took the place that ours turned out to go to. */
const TAKEN_MS = 2000

/** Hashes the source, skips it if the provider has it already, and opens the remote session. */
export function createPrepare(deps: StepDeps): Step {
  const { uploads } = deps
  return async (record, context) => {
    if (record.session !== undefined) return settleOld(deps, record, context)
    const fresh = await fingerprinted(deps, record, context)
    const boundTo = await uploads.boundTo(fresh)

    const hashed = await hashedOrSkipped(deps, fresh, { context, boundTo })
    if (hashed === 'skipped') return 'again'
    return open(deps, hashed, { context, boundTo })
  }
}

/** A person's retry of an upload that was never confirmed: reads before it sends anything. */
async function settleOld(deps: StepDeps, record: UploadRecord, context: StepContext): Promise<Moved> {
  const session = record.session
  if (session === undefined) return 'again'
  const found = await context.provider.confirm(context.account, session, viewOf(record), context.signal)
  if (found.kind === 'complete') {
    const wrong = await completeIfWhole(deps, record, found.version, context)
    if (wrong !== undefined) throw new FatalError('verify-failed', wrong)
    return 'again'
  }
  throw new StartOver('unconfirmed', `The provider still does not show it complete: ${found.why}`)
}

/** The record with the source as it is now; hashes of an older one are dropped. */
async function fingerprinted(
  { uploads, contents }: StepDeps,
  record: UploadRecord,
  { provider, account }: StepContext,
): Promise<UploadRecord> {
  const now = await contents.fingerprint(record)
  if (record.fingerprint !== undefined && sameFingerprint(record.fingerprint, now)) return record
  if (record.fingerprint !== undefined && record.draft !== undefined) {
    // The provider may have been told the old hashes already.
    throw new StartOver('source-changed', 'The source changed while its upload was being opened')
  }
  const plan = provider.plan(record.request, now.size, account.settings)
  return uploads.transition(record, { fingerprint: now, size: now.size, plan }, { remove: ['hashes'] })
}

interface Known {
  readonly context: StepContext
  readonly boundTo: string | undefined
}

/** The record with its hashes, if any are needed before it is sent. */
async function hashedOrSkipped(
  deps: StepDeps,
  record: UploadRecord,
  known: Known,
): Promise<UploadRecord | 'skipped'> {
  const { uploads, parts, contents } = deps
  const needsHashes = record.plan.partSize !== undefined || record.verify === 'download'
  let hashed = record
  if (needsHashes && record.hashes === undefined) {
    const last = await sameInLedger(deps, record)
    // Same file, same place: if the provider still shows that version, not a byte needs to be read.
    if (last !== undefined && (await isSkipped(deps, record, { ...known, last }))) return 'skipped'
    const { hashes, digests } = await contents.hash(record, known.context.signal)
    await parts.saveDigests(record.id, digests)
    hashed = await uploads.transition(record, { hashes })
  }
  // Once a draft exists, what is at the destination may be our own half-made upload: prepare sorts it out.
  if (hashed.draft !== undefined) return hashed
  const last = needsHashes ? undefined : await sameInLedger(deps, hashed)
  return (await isSkipped(deps, hashed, { ...known, last })) ? 'skipped' : hashed
}

/** The newest version of this destination, if it was made of the very same file. */
async function sameInLedger({ uploads }: StepDeps, record: UploadRecord): Promise<Version | undefined> {
  const [last] = await uploads.versions(record.account, record.destination, 1)
  if (last === undefined || record.fingerprint === undefined) return undefined
  return sameFingerprint(last.fingerprint, record.fingerprint) ? last : undefined
}

/** Looks at the destination, and ends the upload as skipped if nothing is to be sent there. */
async function isSkipped(
  deps: StepDeps,
  record: UploadRecord,
  { context, boundTo, last }: Known & { readonly last: Version | undefined },
): Promise<boolean> {
  const view = viewOf(record, { boundTo, unchangedSince: last })
  const found: Inspection = await context.provider.inspect(context.account, view, context.signal)
  if (found.kind === 'kept') {
    await keep(deps, record, found)
    return true
  }
  if (found.kind !== 'unchanged' || !(await isWhole(record, found.version, context))) return false
  await skip(deps, record, found.version)
  return true
}

/** Skipped is as good as completed: where bytes are to be read back, those that are there already are, too. */
const isWhole = async (record: UploadRecord, version: Version, context: StepContext): Promise<boolean> =>
  (await differenceOf(record, version, context)) === undefined

async function skip({ uploads, contents }: StepDeps, record: UploadRecord, version: Version): Promise<void> {
  const { fingerprint } = record
  const ledger = fingerprint && { ...version, upload: record.id, fingerprint }
  await uploads.transition(record, { state: 'skipped', version }, ledger ? { ledger } : {})
  await contents.forget(record)
}

/** What is there is none of ours, so it is not in our ledger. */
async function keep(
  { uploads, contents }: StepDeps,
  record: UploadRecord,
  { version, note }: Kept,
): Promise<UploadRecord> {
  const skipped = await uploads.transition(record, { state: 'skipped', version, note }, { remove: ['draft'] })
  await contents.forget(record)
  return skipped
}

async function open(deps: StepDeps, record: UploadRecord, { context, boundTo }: Known): Promise<Moved> {
  const { uploads, tickets } = deps
  let current = record
  const save: SaveDraft = async (draft, bound) => {
    if (bound === undefined) {
      current = await uploads.transition(current, { draft })
      return
    }
    const outcome = await uploads.bind(current, draft, bound)
    if (outcome === 'taken') {
      throw new TryLater(`another upload goes to ${bound.remoteId} first`, TAKEN_MS)
    }
    current = outcome
  }
  const ours = async (): Promise<boolean> => stillOurs(uploads, current)()
  const opened = await context.provider.prepare(
    context.account,
    viewOf(record, { boundTo }),
    {
      draft: record.draft,
      save,
      saveTickets: async (secrets) => tickets.save(current, secrets),
      stillOurs: ours,
    },
    context.signal,
  )
  return 'kind' in opened ? keep(deps, current, opened) : begin(deps, current, opened)
}

async function begin({ uploads }: StepDeps, record: UploadRecord, session: Session): Promise<UploadRecord> {
  const partsTotal = session.blobs.reduce((sum, blob) => sum + partCount(blob), 0)
  return uploads.transition(
    record,
    {
      session,
      state: 'transferring',
      blob: 0,
      partsTotal,
      ...(session.note !== undefined && { note: session.note }),
    },
    { remove: ['draft'] },
  )
}
