import { FatalError, messageOf } from '#shared/errors.ts'
import type { Patch } from '#shared/records/changes.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { isPutOff } from '../run.ts'
import { complete, stillOurs, viewOf } from './step.ts'
import type { Step, StepContext, StepDeps } from './step.ts'

/** How long a bad end waits for a provider that can not be reached before it says what it had to leave. */
const CLEANUP_WITHIN_MS = 60 * 60 * 1000

const LEFT_BEHIND = 'An unfinished remote upload may be left behind'

/** Ends an upload that failed or was cancelled, with nothing of it left half-made at the provider. */
export function createCleanup(deps: StepDeps): Step {
  const { uploads, contents } = deps
  return async (given, context) => {
    const record =
      given.cleanupSince === undefined ? await uploads.transition(given, { cleanupSince: Date.now() }) : given
    await context.dropWaitingParts()
    if (await completeAfterAll(deps, record, context)) return 'next'

    // What was sent whole may show up yet: a person's retry will look before it sends again.
    const keep = record.desired === 'run' && record.failure?.class === 'unconfirmed'
    const note = keep ? undefined : await abort(deps, record, context)
    await uploads.transition(
      record,
      { ...endOf(record), ...(note !== undefined && { note }) },
      { remove: keep ? ['draft', 'failure'] : ['session', 'draft', 'failure'] },
    )
    await contents.forget(record)
    return 'next'
  }
}

function endOf({ desired, failure }: UploadRecord): Patch {
  if (desired === 'cancel') return { state: 'cancelled' }
  return failure === undefined ? { state: 'failed' } : { state: 'failed', error: failure }
}

/** A cancel that came after the last finish was accepted came too late. */
async function completeAfterAll(
  deps: StepDeps,
  record: UploadRecord,
  { provider, account, signal, hopeless }: StepContext,
): Promise<boolean> {
  const { session, failure } = record
  if (hopeless || session === undefined || record.blob + 1 < session.blobs.length) return false
  if (failure?.class === 'verify-failed') return false
  if (record.state !== 'confirming' && record.state !== 'finishing') return false
  const found = await untilHopeless(record, provider.confirm(account, session, viewOf(record), signal))
  if (found instanceof Error || found.kind !== 'complete') return false
  await complete(deps, record, found.version)
  return true
}

/** Answers what had to be left behind, if anything. */
async function abort(
  { uploads }: StepDeps,
  record: UploadRecord,
  { provider, account, signal, hopeless }: StepContext,
): Promise<string | undefined> {
  const state = record.session?.state ?? record.draft
  if (state === undefined) return undefined
  if (hopeless) return `${LEFT_BEHIND}: each process that tried to remove it died`
  const left = { state, stillOurs: stillOurs(uploads, record) }
  const error = await untilHopeless(record, provider.abort(account, left, signal))
  return error instanceof Error ? `${LEFT_BEHIND}: ${error.message}` : undefined
}

/** What the provider answered; or why not, once it is no use to ask again. Throws as long as it is. */
async function untilHopeless<T>(record: UploadRecord, asked: Promise<T>): Promise<T | Error> {
  try {
    return await asked
  } catch (error) {
    const tooLong = Date.now() - (record.cleanupSince ?? 0) > CLEANUP_WITHIN_MS
    if (error instanceof FatalError || (tooLong && isPutOff(error))) return new Error(messageOf(error))
    throw error
  }
}
