import type { Logger } from 'pino'

const EVERY_MS = 10_000

/**
 * Logs what goes wrong in a queue, each thing once in ten seconds: what goes wrong once goes wrong for every
 * job and every try. Not a lost connection, which is said once for all by whoever opened it.
 */
export function createErrorLog(log: Logger, queue: string): (error: Error) => void {
  const saidAt = new Map<string, number>()
  return (error) => {
    if (isOfConnection(error)) return
    const now = performance.now()
    for (const [what, at] of saidAt) if (now - at >= EVERY_MS) saidAt.delete(what)
    const what = withoutIds(error.message)
    if (saidAt.has(what)) return
    saidAt.set(what, now)
    log.warn({ err: error }, `queue ${queue}: ${error.message}`)
  }
}

/** Errors of the system name the call that failed, such as `connect`; AggregateErrors hold some of them. */
const isOfConnection = (error: Error): boolean =>
  'syscall' in error ||
  error instanceof AggregateError ||
  /^(Connection is closed|Socket timeout)/.test(error.message)

const withoutIds = (message: string): string => message.replaceAll(/upl_\S+/g, '…')
