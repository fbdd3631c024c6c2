import type { UploadRecord } from '#shared/records/upload.ts'
import { stillOurs } from './step.ts'
import type { Step, StepDeps } from './step.ts'

const HOUR_MS = 60 * 60 * 1000

/** Begins a new epoch: once per cause and hour, and only once ever for a source that keeps changing. */
export function createStartOver({ uploads, tickets, contents }: StepDeps): Step {
  return async (record, { provider, account, now: clock, signal, running }) => {
    const reason = record.restart
    if (reason === undefined) return 'again'
    const before = record.restarts[reason.class]
    const now = clock()
    const again = before !== undefined && (reason.class === 'source-changed' || now - before < HOUR_MS)
    if (again) {
      const failure = { ...reason, message: `${reason.message}; it was started over for this before` }
      await uploads.transition(record, { failure })
      return 'again'
    }
    await running.dropWaitingParts()
    const state = record.session?.state ?? record.draft
    const left = { state, stillOurs: stillOurs(uploads, record), tickets: tickets.reader(record) }
    const note = state === undefined ? undefined : await provider.abort(account, left, signal)
    await contents.forget(record)
    const patch = { ...nextEpoch(record, reason.class, now), ...(note !== undefined && { note }) }
    await uploads.transition(record, patch, {
      remove: ['session', 'draft', 'hashes', 'fingerprint', 'confirmSince'],
    })
    return 'again'
  }
}

const nextEpoch = (record: UploadRecord, cause: string, now: number) =>
  ({
    epoch: record.epoch + 1,
    state: 'preparing',
    blob: 0,
    restarts: { ...record.restarts, [cause]: now },
  }) as const
