import type { Logger } from 'pino'
import { FatalError, messageOf, StartOver } from '#shared/errors.ts'
import type { ErrorClass } from '#shared/errors.ts'
import { uploadLog } from '#shared/log.ts'
import type { Accounts } from '#shared/accounts/accounts.ts'
import type { Providers } from '#shared/providers/index.ts'
import { uploadJobId } from '#shared/queues.ts'
import type { UploadJob } from '#shared/queues.ts'
import { isEnded, isRunning } from '#shared/records/upload.ts'
import type { RunningState, UploadRecord } from '#shared/records/upload.ts'
import { Stale } from '#shared/records/changes.ts'
import { assertHopeful } from './part.ts'
import { isPutOff, Settled, WaitForParts } from './run.ts'
import type { Handle, Running } from './run.ts'
import { createCleanup, endAsItIs } from './steps/cleanup.ts'
import { createConfirm } from './steps/confirm.ts'
import { createFinish } from './steps/finish.ts'
import { createPrepare } from './steps/prepare.ts'
import { createStartOver } from './steps/start-over.ts'
import type { Step, StepContext, StepDeps } from './steps/step.ts'
import { createTransfer } from './steps/transfer.ts'
import { Stopped } from './stops.ts'
import type { Stops } from './stops.ts'

interface Deps extends StepDeps {
  readonly accounts: Accounts
  readonly providers: Providers
  readonly stops: Stops
  readonly log: Logger
  readonly instance: string
  readonly maxCrashes: number
}

/** Moves one upload forward, step by step, until it ends or its parts have to be waited for. */
export function createOrchestrator(deps: Deps): Handle<UploadJob> {
  const { uploads, stops } = deps
  const stepFor = createSteps(deps)

  const drive = async (job: UploadJob, running: Running, crashes: number): Promise<string> => {
    for (;;) {
      // Not every step looks at the signal, and one whose job is another's now only stands in its way.
      running.signal.throwIfAborted()
      const record = await uploads.read(job.upload)
      if (record === undefined) return 'removed'
      // Left over from an earlier run, and late: a job of its own drives this one.
      if (running.jobId !== uploadJobId(record.id, record.run)) return 'superseded by a later run'
      report(deps.log, record)
      if (isEnded(record.state)) return outcomeOf(record)
      await oneStep(record, running, crashes)
    }
  }

  const oneStep = async (record: UploadRecord, running: Running, crashes: number): Promise<void> => {
    try {
      const ending = isEnding(record)
      if (!ending) assertHopeful(record, crashes, deps.maxCrashes)
      // Cleaning up gets as many chances again.
      const hopeless = crashes >= 2 * deps.maxCrashes
      const context = { ...(await contextOf(deps, record, running)), hopeless }
      const work = async (signal: AbortSignal): Promise<'next' | 'wait'> =>
        stepFor(record)(record, { ...context, signal })
      // A bad end is not itself stopped by what led to it.
      const watched = { upload: record.id, scope: 'all', signal: running.signal } as const
      const outcome = ending ? await work(running.signal) : await stops.watch(watched, work)
      if (outcome === 'wait') throw new WaitForParts('waits for its parts')
    } catch (error) {
      await explain(deps, record, running, error)
    }
  }

  return async (job, running) => {
    const { record, crashes } = await uploads.begin(job.upload, running.jobId, deps.instance)
    try {
      if (record?.waitingFor !== undefined) await uploads.waitingFor(job.upload, undefined)
      return await drive(job, running, crashes)
    } finally {
      await uploads.done(job.upload, running.jobId, deps.instance)
    }
  }
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

async function contextOf(
  deps: Deps,
  record: UploadRecord,
  running: Running,
): Promise<Omit<StepContext, 'signal' | 'hopeless'>> {
  const account = await deps.accounts.read(record.account)
  if (account === undefined) throw new FatalError('bad-request', `Account ${record.account} was removed`)
  return {
    provider: deps.providers(record.provider),
    account: deps.access.open(account),
    partsAtOnce: account.limits.partsAtOnce,
    dropWaitingParts: running.dropWaitingParts,
  }
}

/** Says what the failure of a step means. Returns when the record tells the next step, else throws. */
async function explain(deps: Deps, record: UploadRecord, running: Running, error: unknown): Promise<void> {
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
