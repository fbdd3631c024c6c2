import { Interrupted } from './failure.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
// npm hands Ctrl-C on, which the terminal has already sent us: that one is no second wish.
const SAME_WISH_MS = 1000

/** A signal that aborts at Ctrl-C. Pressed again while things are being stopped, it ends the process at once. */
export function untilInterrupted(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  let first = 0
  const listen = (): void => {
    if (!controller.signal.aborted) {
      first = Date.now()
      controller.abort(new Interrupted('Interrupted'))
    } else if (Date.now() - first > SAME_WISH_MS) {
      process.exit(130)
    }
  }
  for (const name of signals) process.on(name, listen)
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, listen)
    },
  }
}
