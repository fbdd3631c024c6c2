import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

/** Bounds one exchange, and remembers which side broke first. */
export interface Watch {
  /** Aborts when the caller's signal does, on a stall, and when the time is over. */
  readonly signal: AbortSignal
  readonly interceptor: Dispatcher.DispatcherComposeInterceptor
  readonly follow: (source: Readable | undefined) => void
  /** From now on the rest of the answer has `answerMs`, however steadily it drips. */
  readonly answering: () => void
  readonly stop: () => void
  /** Why this watch ended the exchange, if it did. */
  readonly gaveUp: () => string | undefined
  /** The error of the source being read, if that broke and not the connection. */
  readonly sourceError: () => Error | undefined
  readonly caller: AbortSignal
}

interface Bounds {
  readonly stallMs: number
  readonly answerMs: number
  readonly signal: AbortSignal
}

export const createWatch = (request: { readonly totalMs?: number }, bounds: Bounds): Watch => {
  const own = new AbortController()
  let reason: string | undefined
  let sourceError: Error | undefined
  let broken = false
  const giveUp = (why: string) => () => {
    reason ??= why
    own.abort(new Error(why))
  }
  const stall = setTimeout(giveUp(`no byte moved for ${seconds(bounds.stallMs)}`), bounds.stallMs)
  const timers = [stall]
  const limit = (ms: number, why: string): void => void timers.push(setTimeout(giveUp(why), ms))
  const { totalMs } = request
  if (totalMs !== undefined) limit(totalMs, `no whole answer within ${seconds(totalMs)}`)

  return {
    signal: AbortSignal.any([bounds.signal, own.signal]),
    caller: bounds.signal,
    interceptor: watching({ touch: () => void stall.refresh(), failed: () => void (broken = true) }),
    follow: (source) => {
      // undici destroys the source with the connection's error, so only the first to break is at fault.
      source?.on('error', (error) => {
        if (!broken) sourceError ??= error
      })
    },
    answering: () => limit(bounds.answerMs, `an answer that did not end within ${seconds(bounds.answerMs)}`),
    stop: () => timers.forEach((timer) => clearTimeout(timer)),
    gaveUp: () => reason,
    sourceError: () => sourceError,
  }
}

const seconds = (ms: number): string => `${String(ms / 1000)} s`

interface Observer {
  readonly touch: () => void
  readonly failed: () => void
}

/**
 * Sees every chunk that goes to or comes from the socket. Listening to the source instead would start it
 * flowing before there is a connection.
 */
const watching =
  ({ touch, failed }: Observer): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (options, handler) =>
    dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onBodySent: touch,
      onRequestSent: touch,
      onResponseStart: (controller, status, headers, text) => {
        // Interim answers come before the real one and may never end.
        if (status >= 200) touch()
        handler.onResponseStart?.(controller, status, headers, text)
      },
      onResponseData: (controller, chunk) => {
        touch()
        handler.onResponseData?.(controller, chunk)
      },
      onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
      onResponseError: (controller, error) => {
        failed()
        handler.onResponseError?.(controller, error)
      },
    })
