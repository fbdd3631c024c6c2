import type { Logger } from 'pino'
import { loadConfig } from './config.ts'
import type { Config, Environment } from './config.ts'
import { messageOf } from './errors.ts'
import { createLog } from './log.ts'

export type ServiceRole = 'standalone' | 'serve' | 'worker'

export interface ProcessContext {
  readonly config: Config
  readonly log: Logger
  /** What is put in here is put away in reverse order when the process stops, or when its start failed. */
  readonly resources: AsyncDisposableStack
}

/**
 * A service process from its settings to its end: starts, waits for SIGTERM or SIGINT, puts everything away.
 * A second signal ends it at once. A start that fails says why, in words, and exits with 1.
 */
export async function runProcess(
  role: ServiceRole,
  environment: Environment,
  start: (context: ProcessContext) => Promise<void>,
): Promise<void> {
  try {
    const config = loadConfig(environment, role)
    const log = createLog({ level: config.logLevel, role })
    await using resources = new AsyncDisposableStack()
    let leftMs = PUT_AWAY_MS
    const stopped = untilStopped(() => {
      log.info('stopping: parts under way may finish; a second signal ends at once')
      endAfter(leftMs, log)
    })
    // A signal during the start stops as well: as soon as there is something to put away in order.
    await start({ config, log, resources })
    leftMs += config.graceMs
    await stopped
  } catch (error) {
    process.stderr.write(`stevedore ${role}: ${messageOf(error)}\n`)
    process.exitCode = 1
  }
  // Without Redis not everything can be put away, and what is left could hold the process open for ever.
  process.exit()
}

/** Beside the grace period of the work itself, which there is none of during the start. */
const PUT_AWAY_MS = 10_000

/** What can not be put away in order is left. To die is safe: it is what every step is made for. */
function endAfter(ms: number, log: Logger): void {
  const timer = setTimeout(() => {
    log.error('could not stop in order in time; ending all the same')
    process.exit(1)
  }, ms)
  timer.unref()
}

/** One Ctrl-C arrives twice under npm: from the terminal, and from npm, which passes on what it got itself. */
const SAME_SIGNAL_MS = 1000

async function untilStopped(onSignal: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    let stoppedAt: number | undefined
    const hear = (): void => {
      if (stoppedAt !== undefined && performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(130)
      if (stoppedAt !== undefined) return
      stoppedAt = performance.now()
      onSignal()
      resolve()
    }
    process.on('SIGTERM', hear)
    process.on('SIGINT', hear)
  })
}
