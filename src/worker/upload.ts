import type { Logger } from 'pino'
import { FatalError, messageOf, StartOver } from '#shared/errors.ts'
import type { ErrorClass } from '#shared/errors.ts'
import { uploadLog } from '#shared/log.ts'
import type { Providers } from '#shared/providers/index.ts'
import type { AccountAccess, Limits } from '#shared/providers/provider.ts'
import { uploadJobId } from '#shared/queues.ts'
import type { UploadJob } from '#shared/queues.ts'
import { asUnknownRecord, isEnded, isRunning } from '#shared/records/upload.ts'
import type { RunningState, UploadRecord } from '#shared/records/upload.ts'
import { Stale } from '#shared/records/changes.ts'
import type { Begun } from '#shared/records/commands.ts'
import { accountInTurn } from './in-turn.ts'
import { assertHopeful } from './part.ts'
import { isPutOff, Settled, WaitForParts } from './run.ts'
import type { Handle, Running } from './run.ts'
import { createCleanup, endAsItIs } from './steps/cleanup.ts'
import { createConfirm } from './steps/confirm.ts'
import { createFinish } from './steps/finish.ts'
import { createPrepare } from './steps/prepare.ts'
import { createStartOver } from './steps/start-over.ts'
import type { Moved, Step, StepContext, StepDeps } from './steps/step.ts'
import { createTransfer } from './steps/transfer.ts'
import { Stopped } from './stops.ts'
import type { Stops } from './stops.ts'

interface Deps extends StepDeps {
  readonly providers: Providers
  readonly stops: Stops
  readonly log: Logger
  readonly instance: string
  readonly maxCrashes: number
}

/** Moves one upload forward, step by step, until it ends or its parts have to be waited for. */
export function createOrchestrator(deps: Deps): Handle<UploadJob> {
  const { uploads, access, instance } = deps
  const oneStep = createOneStep(deps)

  const drive = async (first: UploadRecord | undefined, run: Run): Promise<string> => {
    const { jobId, signal, stopping } = run.running
    for (let record = first; ;) {
      // Not every step looks at the signal, and one whose job is another's now only stands in its way.
      signal.throwIfAborted()
      if (record === undefined) return 'removed'
      // Left over from an earlier run, and late: a job of its own drives this one.
      if (jobId !== uploadJobId(record.id, record.run)) return 'superseded by a later run'
      report(deps.log, record)
      if (isEnded(record.state)) return outcomeOf(record)
      // All that was done so far is in the record: whoever has the job next does the next step.
      stopping.throwIfAborted()
      const moved: UploadRecord | 'again' = await oneStep(record, run)
      record = moved === 'again' ? await uploads.read(record.id) : moved
    }
  }

  return async (job, running) => {
    const begun = await uploads.begin(job.upload, running.jobId, instance)
    const { record, account, crashes } = begun
    try {
      if (record?.waitingFor !== undefined) await uploads.waitingFor(job.upload, undefined)
      const opened = account && {
        access: accountInTurn(access.open(account), running),
        limits: account.limits,
      }
      return await drive(record, { running, crashes, account: opened, now: clockOf(begun) })
    } finally {
      await uploads.done(job.upload, running.jobId, instance)
    }
  }
}

/** One run of an upload's job. */
interface Run {
  readonly running: Running
  readonly crashes: number
  /** By Redis's clock, in ms since 1970. */
  readonly now: () => number
  /** Opened once, so that what one step learns of its login the next one knows. Absent when it was removed. */
  readonly account: { readonly access: AccountAccess; readonly limits: Limits } | undefined
}

function createOneStep(deps: Deps): (record: UploadRecord, run: Run) => Promise<UploadRecord | 'again'> {
  const stepFor = createSteps(deps)
  return async (record, run) => {
    const { running, crashes } = run
    try {
      const ending = isEnding(record)
      if (!ending) assertHopeful(record, { crashes, now: run.now() }, deps.maxCrashes)
      // Cleaning up gets as many chances again.
      const hopeless = crashes >= 2 * deps.maxCrashes
      const context = { ...contextOf(deps, record, run), hopeless }
      const work = async (signal: AbortSignal): Promise<Moved> => {
        const moved = await stepFor(record)(record, { ...context, signal })
        // Stopped in its last moment: what stopped it may not be in the record that it handed on.
        return typeof moved === 'object' && signal.aborted ? 'again' : moved
      }
      // A bad end is not itself stopped by what led to it.
      const watched = { upload: record.id, scope: 'all', signal: running.signal } as const
      const moved = ending ? await work(running.signal) : await deps.stops.watch(watched, work)
      if (moved === 'wait') throw new WaitForParts('waits for its parts')
      return moved
    } catch (error) {
      await explain(deps, record, running, error)
      return 'again'
    }
  }
}

/** Goes on from the time that Redis said, whatever this host's clock is set to. */
function clockOf({ now }: Begun): () => number {
  const readAt = performance.now()
  return () => Math.round(now + performance.now() - readAt)
}

/** On its way to a bad end. */
const isEnding = ({ desired, failure }: UploadRecord): boolean =>
  desired === 'cancel' || failure !== undefined

/** The table of contents of an upload. */
function createSteps(deps: StepDeps): (record: UploadRecord) => Step {
  const steps: Record<RunningState, Step> = {
    preparing: createPrepare(deps),
    transferring: createTransfer(deps),
    finishing: createFinish(deps),
    confirming: createConfirm(deps),
  }
  const cleanup = createCleanup(deps)
  const startOver = createStartOver(deps)
  return (record) => {
    if (isEnding(record)) return cleanup
    if (record.restart !== undefined) return startOver
    const { state } = record
    if (isRunning(state)) return steps[state]
    throw new Error(`${record.id} is ${state}: no step for that`)
  }
}

function contextOf(deps: Deps, record: UploadRecord, run: Run): Omit<StepContext, 'signal' | 'hopeless'> {
  const { account, running } = run
  if (account === undefined) throw new FatalError('bad-request', `Account ${record.account} was removed`)
  return {
    provider: deps.providers(record.provider),
    account: account.access,
    limits: account.limits,
    now: run.now,
    running,
  }
}

/** What nobody here can read waits for who can; but a bad end does not: it ends, and says what may be left. */
const meaningOf = (record: UploadRecord, thrown: unknown): unknown =>
  isEnding(record) ? thrown : asUnknownRecord(thrown)

/** Says what the failure of a step means. Returns when the record tells the next step, else throws. */
async function explain(deps: Deps, record: UploadRecord, running: Running, thrown: unknown): Promise<void> {
  const error = meaningOf(record, thrown)
  // Someone else changed the record, or stopped us by changing it: look again.
  if (error instanceof Stale || (error instanceof Stopped && !running.signal.aborted)) return
  if (error instanceof WaitForParts || running.signal.aborted || isPutOff(error)) throw error
  if (error instanceof StartOver) {
    await deps.uploads.blame(record, 'restart', error)
    return deps.stops.stopParts(record.id)
  }
  const failure = failureOf(error, running)
  if (failure === undefined) throw error
  // When cleaning up after a bad end fails for good as well, there is nothing left to try.
  if (isEnding(record)) return endAsItIs(deps, record, failure.message)
  await deps.uploads.blame(record, 'failure', failure)
  return deps.stops.stopParts(record.id)
}

/** `undefined` for what another attempt may cure. */
function failureOf(
  error: unknown,
  { lastAttempt }: Running,
): { class: ErrorClass; message: string } | undefined {
  if (error instanceof FatalError) return error
  return lastAttempt ? { class: 'internal', message: messageOf(error) } : undefined
}

/** One line per state: how an upload ends is for everybody, how it gets there for who looks closer. */
function report(log: Logger, record: UploadRecord): void {
  const line = uploadLog(log, record)
  const what = `${record.fileName} ${record.state}`
  if (record.state === 'failed') line.warn(`${what}: ${record.error?.message ?? ''}`)
  else if (isEnded(record.state)) line.info({ version: record.version }, what)
  else line.debug({ epoch: record.epoch, run: record.run, parts: record.partsDone }, what)
}

/** Failed uploads stand among the failed jobs. */
function outcomeOf(record: UploadRecord): string {
  if (record.state === 'failed') {
    throw new Settled(
      record.error === undefined ? 'failed' : `${record.error.class}: ${record.error.message}`,
    )
  }
  if (record.state === 'cancelled') throw new Settled('cancelled')
  return record.state
}
