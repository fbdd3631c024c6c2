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
  let stopped = false

  const round = async (): Promise<void> => {
    do {
      again = false
      const started = await uploads.dispatch(BATCH)
      await queues.addUploads(started)
      again ||= started.length === BATCH
    } while (again && !stopped)
  }

  const wake = (): void => {
    if (stopped) return
    again = true
    running ??= round()
      .catch((error: unknown) => log.warn({ err: error }, 'dispatch failed; trying again'))
      .finally(() => (running = undefined))
  }

  const timer = setInterval(wake, TICK_MS)
  wake()
  return {
    wake,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}
