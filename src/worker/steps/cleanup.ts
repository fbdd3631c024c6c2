import { FatalError, messageOf, ProcessStops } from '#shared/errors.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { Patch } from '#shared/records/changes.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { isPutOff } from '../run.ts'
import { sessionOf, stillOurs, viewOf } from './step.ts'
import type { Step, StepContext, StepDeps } from './step.ts'
import { completeIfWhole } from './verify.ts'

/** How long a bad end waits for a provider that can not be reached before it says what it had to leave. */
const CLEANUP_WITHIN_MS = 60 * 60 * 1000

const LEFT_BEHIND = 'An unfinished remote upload may be left behind'

/** Ends an upload that failed or was cancelled, with nothing of it left half-made at the provider. */
export function createCleanup(deps: StepDeps): Step {
  const { uploads } = deps
  return async (given, context) => {
    const record =
      given.cleanupSince === undefined
        ? await uploads.transition(given, {}, { stamp: ['cleanupSince'] })
        : given
    await context.running.dropWaitingParts()
    if (await completeAfterAll(deps, record, context)) return 'again'

    // What was sent whole may show up yet: a person's retry will look before it sends again.
    const keep = record.desired === 'run' && record.failure?.class === 'unconfirmed'
    const note = keep ? undefined : await abort(deps, record, context)
    await end(deps, record, { note, keep })
    return 'again'
  }
}

/** The last resort, when cleaning up can not be done: the upload ends, and says what may be left. */
export async function endAsItIs(deps: StepDeps, record: UploadRecord, why: string): Promise<void> {
  await end(deps, record, { note: `${LEFT_BEHIND}: ${why}`, keep: false })
}

async function end(
  { uploads, contents }: StepDeps,
  record: UploadRecord,
  { note, keep }: { readonly note: string | undefined; readonly keep: boolean },
): Promise<void> {
  await uploads.transition(
    record,
    { ...endOf(record), ...(note !== undefined && { note }) },
    { remove: keep ? ['draft', 'failure'] : ['session', 'draft', 'failure'] },
  )
  await contents.forget(record)
}

function endOf({ desired, failure }: UploadRecord): Patch {
  if (desired === 'cancel') return { state: 'cancelled' }
  return failure === undefined ? { state: 'failed' } : { state: 'failed', error: failure }
}

/** A cancel that came after the last finish was accepted came too late. */
async function completeAfterAll(
  deps: StepDeps,
  record: UploadRecord,
  context: StepContext,
): Promise<boolean> {
  if (context.hopeless || !(await mayBeComplete(deps, record))) return false
  const { provider, account, signal } = context
  const session = sessionOf(record)
  const found = await untilHopeless(
    context,
    record,
    provider.confirm(account, session, viewOf(record), signal),
  )
  if (found instanceof Error || found.kind !== 'complete') return false
  return (await completeIfWhole(deps, record, found.version, context)) === undefined
}

async function mayBeComplete({ parts }: StepDeps, record: UploadRecord): Promise<boolean> {
  const { state, session, failure, verify } = record
  const blob = session?.blobs.at(-1)
  if (session === undefined || blob === undefined || record.blob + 1 < session.blobs.length) return false
  // Nobody has seen its bytes, though somebody asked for that.
  if (verify === 'download' && failure !== undefined) return false
  if (state !== 'transferring') return state === 'confirming' || state === 'finishing'
  // Some providers complete with the last part, whose answer may not have been seen.
  return (await parts.receipts(record, blob.name)).size >= partCount(blob) - 1
}

/** Answers what had to be left behind, if anything. */
async function abort(
  deps: StepDeps,
  record: UploadRecord,
  context: StepContext,
): Promise<string | undefined> {
  const { provider, account, signal, hopeless } = context
  const state = record.session?.state ?? record.draft
  if (state === undefined) return undefined
  if (hopeless) return `${LEFT_BEHIND}: each process that tried to remove it died`
  const left = { state, stillOurs: stillOurs(deps.uploads, record), tickets: deps.tickets.reader(record) }
  const note = await untilHopeless(context, record, provider.abort(account, left, signal))
  return note instanceof Error ? `${LEFT_BEHIND}: ${note.message}` : note
}

/** What the provider answered; or why not, once it is no use to ask again. Throws as long as it is. */
async function untilHopeless<T>(
  { now }: StepContext,
  record: UploadRecord,
  asked: Promise<T>,
): Promise<T | Error> {
  try {
    return await asked
  } catch (error) {
    // Not this process will clean up, but another one.
    if (error instanceof ProcessStops) throw error
    const tooLong = now() - (record.cleanupSince ?? 0) > CLEANUP_WITHIN_MS
    if (error instanceof FatalError || (tooLong && isPutOff(error))) return new Error(messageOf(error))
    throw error
  }
}
