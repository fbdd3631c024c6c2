import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { systemCodeOf } from '#shared/errors.ts'
import type { HostTrouble } from '#shared/errors.ts'
import { clockProblem } from '#shared/redis/requirements.ts'

const LOOK_MS = 1000
/** One line in this time for each kind of trouble: it may last for hours. */
const REPEAT_MS = 30_000
const CLOCK_EVERY_MS = 10_000

interface Deps {
  readonly redis: Redis
  readonly lockMs: number
  readonly log: Logger
}

/** What is wrong with this machine, as far as its worker can tell. */
export interface HostWatch extends Disposable {
  /** Told of what this machine lacked. */
  readonly report: (trouble: HostTrouble) => void
  /** What was noticed last, one sentence each; none when all is well. */
  readonly troubles: () => string[]
}

/**
 * Sounds the alarm in the log when this machine lacks something, when its event loop stood still for so long that
 * locks may be lost, and when its clock is not that of Redis.
 */
export function watchHost({ redis, lockMs, log }: Deps): HostWatch {
  const alarms = createAlarms(log)
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const lookAtLoop = (): void => {
    const lagMs = delay.max / 1e6
    // Locks are renewed at half their time.
    if (lagMs <= lockMs / 2) return
    // Not each time: it forgets a delay that is not over for its own timer, if that comes after ours.
    delay.reset()
    alarms.sound('loop', lagging(lagMs, lockMs))
  }
  const lookAtClock = async (): Promise<void> => {
    const wrong = await clockProblem(redis)
    if (wrong !== undefined) alarms.sound('clock', `${wrong}: jobs that wait would run too early or too late`)
  }
  const clock = (): void =>
    void lookAtClock().catch((error: unknown) => log.debug({ err: error }, 'no clock'))
  const timers = [setInterval(lookAtLoop, LOOK_MS), setInterval(clock, CLOCK_EVERY_MS)]
  clock()
  return {
    // Each lack by itself, whatever file it was met at.
    report: ({ message, cause }) => alarms.sound(`lack ${systemCodeOf(cause)}`.trim(), message),
    troubles: alarms.recent,
    [Symbol.dispose]: () => {
      for (const timer of timers) clearInterval(timer)
      delay.disable()
    },
  }
}

const lagging = (lagMs: number, lockMs: number): string =>
  `the event loop stood still for ${(lagMs / 1000).toFixed(1)} s: ` +
  `jobs are given to another worker after ${(lockMs / 1000).toFixed(1)} s. Is this machine overloaded?`

const isRecent = ({ at }: { readonly at: number }): boolean => performance.now() - at < REPEAT_MS

function createAlarms(log: Logger) {
  const sounded = new Map<string, { readonly message: string; readonly at: number }>()
  return {
    sound: (kind: string, message: string): void => {
      const last = sounded.get(kind)
      if (last !== undefined && isRecent(last)) return
      sounded.set(kind, { message, at: performance.now() })
      log.warn({ alarm: kind }, message)
    },
    recent: (): string[] => [...sounded.values()].filter(isRecent).map(({ message }) => message),
  }
}
