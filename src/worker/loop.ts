import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

interface Options {
  /** Between the end of one and the next, about: many processes must not do it in step. */
  readonly everyMs: number
  /** What is done, in words for the log, such as `reconciling`. */
  readonly what: string
  readonly log: Logger
}

/** Does something now and again and again, whatever becomes of it, until disposed; then lets it end. */
export function startLoop(
  { everyMs, what, log }: Options,
  tick: (signal: AbortSignal) => Promise<void>,
): AsyncDisposable {
  const stop = new AbortController()
  const { signal } = stop
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      await tick(signal).catch((error: unknown) => log.warn({ err: error }, `${what} failed; trying again`))
      await sleep(everyMs * (0.9 + Math.random() / 5), undefined, { signal }).catch(() => undefined)
    }
  }
  const looping = loop()
  return {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      stop.abort()
      await looping
    },
  }
}
