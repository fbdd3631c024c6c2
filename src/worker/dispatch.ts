import type { Logger } from 'pino'
import type { Queues } from '#shared/queues.ts'
import type { Uploads } from '#shared/records/uploads.ts'

const BATCH = 100
/** Parking ends, windows open: nothing announces that. */
const TICK_MS = 1000

interface Deps {
  readonly uploads: Uploads
  readonly queues: Queues
  readonly log: Logger
}

/**
 * Lets waiting uploads run, within limits and fairly. Every worker dispatches: the choice itself is one
 * atomic script, and whoever makes it gives the chosen their jobs.
 */
export function startDispatch({ uploads, queues, log }: Deps) {
  let running: Promise<void> | undefined
  let again = false
  const stop = new AbortController()

  const round = async (): Promise<void> => {
    again = false
    const started = await uploads.dispatch(BATCH)
    await queues.addUploads(started)
    if ((again || started.length === BATCH) && !stop.signal.aborted) await round()
  }

  const wake = (): void => {
    again = true
    if (stop.signal.aborted) return
    running ??= round()
      .catch((error: unknown) => log.warn({ err: error }, 'dispatch failed; trying again'))
      .finally(() => (running = undefined))
  }

  const timer = setInterval(wake, TICK_MS)
  wake()
  return {
    wake,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      stop.abort()
      clearInterval(timer)
      await running
    },
  }
}
