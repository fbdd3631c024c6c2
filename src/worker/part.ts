import { createHash } from 'node:crypto'
import { Blamed, FatalError, messageOf, StartOver } from '#shared/errors.ts'
import type { ErrorClass } from '#shared/errors.ts'
import type { Access } from '#shared/accounts/access.ts'
import type { Accounts } from '#shared/accounts/accounts.ts'
import type { Governors } from '#shared/governor/governor.ts'
import { partCount, partRange } from '#shared/providers/cut.ts'
import type { Providers } from '#shared/providers/index.ts'
import type { Blob, Session, Slice } from '#shared/providers/provider.ts'
import type { PartJob, Queues } from '#shared/queues.ts'
import type { Parts } from '#shared/records/parts.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import type { Contents } from './contents.ts'
import { isPutOff, Settled } from './run.ts'
import type { Handle, Running } from './run.ts'
import { Stopped } from './stops.ts'
import type { Stops } from './stops.ts'

interface Deps {
  readonly uploads: Uploads
  readonly parts: Parts
  readonly accounts: Accounts
  readonly access: Access
  readonly governors: Governors
  readonly providers: Providers
  readonly queues: Queues
  readonly contents: Contents
  readonly stops: Stops
  readonly instance: string
  readonly maxCrashes: number
}

/** A part job, with all that it was found to belong to. */
interface Task {
  readonly job: PartJob
  readonly record: UploadRecord
  readonly session: Session
  readonly blob: Blob
  readonly total: number
}

/**
 * Sends one part, unless its receipt is there already; then sees to it that the next missing part of its
 * blob has a job. Safe to run twice, and to be killed anywhere.
 */
export function createPart(deps: Deps): Handle<PartJob> {
  const { uploads, stops } = deps
  return async (job, running) => {
    const { record, crashes } = await uploads.begin(job.upload, running.jobId, deps.instance)
    try {
      const task = record === undefined ? undefined : taskOf(job, record)
      if (task === undefined) return 'of an epoch that ended'
      assertWanted(task.record)
      assertHopeful(task.record, crashes, deps.maxCrashes)
      const watched = { upload: job.upload, scope: 'parts', signal: running.signal } as const
      return await stops.watch(watched, (signal) => sendOnce(deps, task, { ...running, signal }))
    } catch (error) {
      throw await settle(deps, job, running, error)
    } finally {
      await uploads.done(job.upload, running.jobId, deps.instance)
    }
  }
}

/** `undefined` for a part of an epoch, or of a state, that is over. */
function taskOf(job: PartJob, record: UploadRecord): Task | undefined {
  const { session } = record
  const blob = session?.blobs.find(({ name }) => name === job.blob)
  if (session === undefined || blob === undefined) return undefined
  if (record.epoch !== job.epoch || record.state !== 'transferring') return undefined
  return { job, record, session, blob, total: partCount(blob) }
}

function assertWanted(record: UploadRecord): void {
  if (record.desired === 'run' && record.failure === undefined && record.restart === undefined) return
  throw new Stopped(`${record.id} is not wanted any more`)
}

/** Throws when the upload brought down too many processes, or took too long. */
export function assertHopeful(record: UploadRecord, crashes: number, maxCrashes: number): void {
  if (crashes >= maxCrashes) {
    throw new FatalError('poison', `${crashes} processes died in a row while they worked on it`)
  }
  if (Date.now() > record.deadline) {
    throw new FatalError('deadline', `It was not done by ${new Date(record.deadline).toISOString()}`)
  }
}

async function sendOnce(deps: Deps, task: Task, running: Running): Promise<string> {
  const { parts, queues } = deps
  const known = await parts.receipt(task.job)
  const receipt = known === undefined ? await send(deps, task, running) : undefined
  const next = await parts.save(task.job, task.total, receipt)
  if (next === 'stale') return 'of an epoch that ended'
  if (next > 0) {
    await queues.addParts(task.record, { blob: task.blob.name, total: task.total, numbers: [next] })
  }
  return known === undefined ? 'sent' : 'was sent before'
}

async function send(deps: Deps, task: Task, running: Running) {
  const { record, session, blob, job } = task
  const account = await deps.accounts.read(record.account)
  if (account === undefined) throw new FatalError('bad-request', `Account ${record.account} was removed`)
  const range = partRange(blob, job.number)
  const part = { number: job.number, ...range, md5: await digestOf(deps.parts, task) }
  const counted = countBytes(await deps.contents.slice(record, blob, range, running.signal))
  const provider = deps.providers(record.provider)
  const lease = { account: account.id, limits: account.limits, jobId: running.jobId }

  return deps.governors.part(lease, running.signal, async () => {
    const sends = await deps.parts.countSending(job, 1)
    try {
      const sending = { blob, part, slice: counted.slice }
      const { etag } = await provider.sendPart(deps.access.open(account), session, sending, running.signal)
      // Begun before and never heard of again: those processes died, and their bytes may all have gone out.
      const wasted = counted.bytes() - range.length + (sends - 1) * range.length
      if (wasted > 0) await deps.parts.countResent(record.id, wasted)
      return { etag, md5: part.md5, bytes: range.length, at: Date.now() }
    } catch (error) {
      await Promise.all([
        deps.parts.countSending(job, -1),
        deps.parts.countResent(record.id, counted.bytes()),
      ])
      throw await trueReason(error, counted.slice, part.md5)
    }
  })
}

/** Blames the source instead if its bytes are not those that were hashed: same size and time prove nothing. */
async function trueReason(error: unknown, slice: Slice, md5: string): Promise<unknown> {
  if (!(error instanceof Blamed)) return error
  const hash = createHash('md5')
  for await (const chunk of slice.open()) hash.update(chunk)
  if (hash.digest('hex') === md5) return error
  return new StartOver('source-changed', `${error.message}; the source has other bytes than were hashed`)
}

async function digestOf(parts: Parts, { record, blob, job, total }: Task): Promise<string> {
  const whole = blob.content === 'source' ? record.hashes?.md5 : record.hashes?.signature?.md5
  // A provider may take in one part what was hashed in many.
  const md5 = total === 1 ? whole : await parts.digest(record.id, blob.content, job.number)
  if (md5 === undefined) throw new Error(`Part ${job.number} of ${blob.name} was never hashed`)
  return md5
}

/** Counts what is read for sending, over all openings of the slice. */
function countBytes(slice: Slice): { slice: Slice; bytes: () => number } {
  let bytes = 0
  const open = () => {
    const stream = slice.open()
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length))
    // Listening starts the flow; whoever takes the stream decides when that is.
    return stream.pause()
  }
  return { slice: { length: slice.length, open }, bytes: () => bytes }
}

/** Puts the failure where it belongs: into the record, or back to the queue. */
async function settle(deps: Deps, job: PartJob, running: Running, error: unknown): Promise<unknown> {
  if (error instanceof Stopped) return new Settled(error.message)
  if (running.signal.aborted || isPutOff(error)) return error
  const place = { id: job.upload, epoch: job.epoch }
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
