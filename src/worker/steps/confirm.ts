import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError, StartOver, TryLater } from '#shared/errors.ts'
import { sessionOf, viewOf } from './step.ts'
import type { Step, StepContext, StepDeps } from './step.ts'
import { completeIfWhole } from './verify.ts'

const FIRST_WAIT_MS = 300
const LONGEST_WAIT_MS = 10_000

/** Reads back until the provider shows the upload complete, whole and current. */
export function createConfirm(deps: StepDeps): Step {
  return async (record, context) => {
    const { provider, account, signal } = context
    const session = sessionOf(record)
    const found = await provider.confirm(account, session, viewOf(record), signal)
    if (found.kind === 'complete') {
      const wrong = await completeIfWhole(deps, record, found.version, context)
      if (wrong !== undefined) throw new FatalError('verify-failed', wrong)
      return 'again'
    }
    if (found.kind === 'broken') throw new StartOver('aborted-by-provider', found.why)

    const waited = context.now() - (record.confirmSince ?? record.updatedAt)
    if (waited > provider.confirmWithinMs(record.size, session)) {
      const why = `Sent whole, but never shown complete: ${found.why}`
      throw found.startOver ? new StartOver('session-lost', why) : new FatalError('unconfirmed', why)
    }
    await wait(waited, found.why, context)
    return 'again'
  }
}

/** Ever longer, and never in step with a clock: the provider asks not to be polled at fixed intervals. */
async function wait(waited: number, why: string, { signal, running }: StepContext): Promise<void> {
  const pause = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, waited / 2)) * (1 + Math.random() / 4)
  if (pause > 1000) throw new TryLater(why, pause)
  await sleep(pause, undefined, { signal: AbortSignal.any([signal, running.stopping]) }).catch(
    () => undefined,
  )
  signal.throwIfAborted()
}
