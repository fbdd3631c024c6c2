import { once } from 'node:events'

/** Waits for SIGTERM or SIGINT. A second one ends the process at once, with whatever is under way. */
export async function untilStopped(): Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  await Promise.race([once(process, 'SIGTERM', { signal }), once(process, 'SIGINT', { signal })])
  stop.abort()
  process.once('SIGTERM', endAtOnce)
  process.once('SIGINT', endAtOnce)
}

const endAtOnce = (): never => process.exit(130)
