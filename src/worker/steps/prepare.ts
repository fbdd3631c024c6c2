import { FatalError, StartOver, TryLater } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { Inspection, SaveDraft, Version } from '#shared/providers/provider.ts'
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

async function hashedOrSkipped(
  deps: StepDeps,
  record: UploadRecord,
  { context, boundTo }: Known,
): Promise<UploadRecord | 'skipped'> {
  const { uploads, parts, contents } = deps
  const inspect = async (asked: UploadRecord, unchangedSince?: Version): Promise<Inspection> => {
    const view = viewOf(asked, { boundTo, unchangedSince })
    return context.provider.inspect(context.account, view, context.signal)
  }
  let hashed = record
  if (record.hashes === undefined) {
    const last = (await uploads.versions(record.account, record.destination, 1))[0]
    if (last !== undefined && record.fingerprint && sameFingerprint(last.fingerprint, record.fingerprint)) {
      // Same file, same place: if the provider still shows that version, not a byte needs to be read.
      const found = await inspect(record, last)
      if (found.kind === 'unchanged' && (await isWhole(record, found.version, context))) {
        return skip(deps, record, found.version)
      }
    }
    const { hashes, digests } = await contents.hash(record, context.signal)
    await parts.saveDigests(record.id, digests)
    hashed = await uploads.transition(record, { hashes })
  }
  // Once a draft exists, what is at the destination may be our own half-made upload: prepare sorts it out.
  if (hashed.draft !== undefined) return hashed
  const found = await inspect(hashed)
  if (found.kind !== 'unchanged' || !(await isWhole(hashed, found.version, context))) return hashed
  return skip(deps, hashed, found.version)
}

/** Skipped is as good as completed: where bytes are to be read back, those that are there already are, too. */
const isWhole = async (record: UploadRecord, version: Version, context: StepContext): Promise<boolean> =>
  (await differenceOf(record, version, context)) === undefined

async function skip(
  { uploads, contents }: StepDeps,
  record: UploadRecord,
  version: Version,
): Promise<'skipped'> {
  const { fingerprint } = record
  const ledger = fingerprint && { ...version, upload: record.id, fingerprint }
  await uploads.transition(record, { state: 'skipped', version }, ledger ? { ledger } : {})
  await contents.forget(record)
  return 'skipped'
}

async function open(
  { uploads }: StepDeps,
  record: UploadRecord,
  { context, boundTo }: Known,
): Promise<Moved> {
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
  const session = await context.provider.prepare(
    context.account,
    viewOf(record, { boundTo }),
    { draft: record.draft, save, stillOurs: ours },
    context.signal,
  )
  const partsTotal = session.blobs.reduce((sum, blob) => sum + partCount(blob), 0)
  return uploads.transition(
    current,
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
