import { Blamed, FatalError, InOrder, messageOf, StartOver, TryLater } from '#shared/errors.ts'
import type { ErrorClass } from '#shared/errors.ts'
import type { Access } from '#shared/accounts/access.ts'
import { partCount } from '#shared/providers/cut.ts'
import type { Blob } from '#shared/providers/provider.ts'
import type { PartJob, Queues } from '#shared/queues.ts'
import type { Begun } from '#shared/records/commands.ts'
import type { Parts, SavedReceipt } from '#shared/records/parts.ts'
import { asUnknownRecord } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import { accountInTurn } from './in-turn.ts'
import { isPutOff, Settled } from './run.ts'
import type { Handle, Running } from './run.ts'
import type { Sender, Sending } from './send.ts'
import { Stopped } from './stops.ts'
import type { Stops } from './stops.ts'

interface Deps {
  readonly uploads: Uploads
  readonly parts: Parts
  readonly access: Access
  readonly queues: Queues
  readonly sender: Sender
  readonly stops: Stops
  readonly instance: string
  readonly maxCrashes: number
}

/**
 * Sends one part, unless its receipt is there already; then sees to it that the next missing part of its
 * blob has a job. Safe to run twice, and to be killed anywhere.
 */
export function createPart(deps: Deps): Handle<PartJob> {
  const { uploads, stops } = deps
  return async (job, running) => {
    const begun = await uploads.begin(job.upload, running.jobId, deps.instance)
    try {
      const sending = sendingOf(deps.access, job, begun, running)
      if (sending === undefined) return 'of an epoch that ended'
      assertWanted(sending.record)
      assertHopeful(sending.record, begun, deps.maxCrashes)
      const watched = { upload: job.upload, scope: 'parts', signal: running.signal } as const
      return await stops.watch(watched, (signal) =>
        sendOnce(deps, job, { sending, running: { ...running, signal } }),
      )
    } catch (error) {
      throw await settle(deps, job, running, error)
    } finally {
      await uploads.done(job.upload, running.jobId, deps.instance)
    }
  }
}

/** `undefined` for a part of an epoch, or of a state, that is over. */
function sendingOf(
  access: Access,
  { epoch, blob: name, number }: PartJob,
  { record, account }: Begun,
  running: Running,
): Sending | undefined {
  const blob = record?.session?.blobs.find((each) => each.name === name)
  if (record?.session === undefined || blob === undefined) return undefined
  if (record.epoch !== epoch || record.state !== 'transferring') return undefined
  if (account === undefined) throw new FatalError('bad-request', `Account ${record.account} was removed`)
  const opened = { access: accountInTurn(access.open(account), running), limits: account.limits }
  return { record, ...opened, session: record.session, blob, number }
}

function assertWanted(record: UploadRecord): void {
  if (record.desired === 'run' && record.failure === undefined && record.restart === undefined) return
  throw new Stopped(`${record.id} is not wanted any more`)
}

/** Throws when the upload brought down too many processes, or took too long by Redis's clock. */
export function assertHopeful(
  record: UploadRecord,
  { crashes, now }: { readonly crashes: number; readonly now: number },
  maxCrashes: number,
): void {
  if (crashes >= maxCrashes) {
    throw new FatalError('poison', `${crashes} processes died in a row while they worked on it`)
  }
  if (now > record.deadline) {
    throw new FatalError('deadline', `It was not done by ${new Date(record.deadline).toISOString()}`)
  }
}

async function sendOnce(deps: Deps, job: PartJob, { sending, running }: Sendable): Promise<string> {
  const { parts, queues } = deps
  const { record, blob } = sending
  const total = partCount(blob)
  const known = await parts.receipt(job)
  const receipt = known === undefined ? await sendInTurn(deps, job, { sending, running }) : undefined
  const next = await parts.save(job, lastOfSiblings(blob, job.number), receipt)
  if (next === 'stale') return 'of an epoch that ended'
  if (next > 0) await queues.addParts(record, { blob: blob.name, total, numbers: [next] })
  return known === undefined ? 'sent' : 'was sent before'
}

/** How soon a part looks again whether the one before it has arrived. */
const TURN_MS = 250

interface Sendable {
  readonly sending: Sending
  readonly running: Running
}

/** Sends the part, unless its blob goes in order by now and the one before it has not arrived. */
async function sendInTurn(
  { parts, sender }: Deps,
  job: PartJob,
  { sending, running }: Sendable,
): Promise<SavedReceipt> {
  const turn = sending.blob.parallel > 1 ? await parts.turnOf(job) : 'any'
  if (turn === 'later') {
    throw new TryLater(`${job.blob} part ${job.number} waits for the one before it`, TURN_MS)
  }
  try {
    return await sender.send(sending, running)
  } catch (error) {
    throw turn === 'now' && error instanceof InOrder ? refusedInTurn(error, running) : error
  }
}

/** It came in order: what is wrong is not the order, but maybe a part before it that is still on its way. */
const refusedInTurn = ({ message }: InOrder, { lastAttempt }: Running): Error =>
  lastAttempt ? new StartOver('session-lost', message) : new Blamed(message)

/** Up to which part its siblings follow one another by themselves; the upload's job hangs one that has to wait. */
function lastOfSiblings(blob: Blob, number: number): number {
  const total = partCount(blob)
  return blob.lastAfterOthers && number < total ? total - 1 : total
}

/** Puts the failure where it belongs: into the record, or back to the queue. */
async function settle(deps: Deps, job: PartJob, running: Running, thrown: unknown): Promise<unknown> {
  const error = asUnknownRecord(thrown)
  if (error instanceof Stopped) return new Settled(error.message)
  if (error instanceof InOrder && !running.signal.aborted) await deps.parts.sendInOrder(job)
  if (running.signal.aborted || isPutOff(error)) return error
  const place = { id: job.upload, epoch: job.epoch, part: job }
  if (error instanceof StartOver) {
    await deps.uploads.blame(place, 'restart', error)
  } else if (error instanceof FatalError || running.lastAttempt) {
    const message = `${job.blob} part ${job.number}: ${messageOf(error)}`
    await deps.uploads.blame(place, 'failure', { class: classOf(error), message })
  } else {
    return error
  }
  await deps.stops.stopParts(job.upload)
  return new Settled(messageOf(error))
}

const classOf = (error: unknown): ErrorClass =>
  error instanceof FatalError || error instanceof Blamed ? error.class : 'internal'
