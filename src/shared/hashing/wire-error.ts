import { type ErrorClass, FatalError, HostTrouble, StartOver, TryLater } from '#shared/errors.ts'

/** An error on its way between threads: structured cloning would lose our classes and their fields. */
export type WireError =
  | { readonly kind: 'fatal' | 'start-over'; readonly class: ErrorClass; readonly message: string }
  | { readonly kind: 'wait'; readonly host: boolean; readonly delayMs: number; readonly message: string }
  | { readonly kind: 'other'; readonly message: string; readonly cause: unknown }

export const toWire = (error: unknown): WireError => {
  if (error instanceof FatalError) return { kind: 'fatal', class: error.class, message: error.message }
  if (error instanceof StartOver) return { kind: 'start-over', class: error.class, message: error.message }
  if (error instanceof TryLater) {
    const host = error instanceof HostTrouble
    return { kind: 'wait', host, delayMs: error.delayMs, message: error.message }
  }
  if (error instanceof Error) return { kind: 'other', message: error.message, cause: error.cause }
  return { kind: 'other', message: 'Hashing failed', cause: error }
}

export const fromWire = (error: WireError): Error => {
  if (error.kind === 'wait') return new (error.host ? HostTrouble : TryLater)(error.message, error.delayMs)
  if (error.kind === 'other') return new Error(error.message, { cause: error.cause })
  if (error.kind === 'fatal') return new FatalError(error.class, error.message)
  return new StartOver(error.class, error.message)
}

/** What a thread says to a request. */
export type Reply<Result> = { readonly result: Result } | { readonly error: WireError }

export const replyOf = async <Result>(work: () => Promise<Result>): Promise<Reply<Result>> => {
  try {
    return { result: await work() }
  } catch (error) {
    return { error: toWire(error) }
  }
}
