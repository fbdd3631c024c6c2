import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { upload, type Upload } from '../api/answers.ts'
import type { Api } from '../api/client.ts'
import { Refused } from '../api/problem.ts'
import { NotReachable } from '../errors.ts'
import type { Source } from './sources.ts'

/** What became of one file. */
export type Submitted =
  | { readonly kind: 'accepted'; readonly source: Source; readonly upload: Upload }
  | { readonly kind: 'refused'; readonly source: Source; readonly error: Refused }
  | { readonly kind: 'unsent'; readonly source: Source; readonly error: Error }

interface Submission {
  readonly api: Api
  readonly sources: readonly Source[]
  readonly bodyOf: (source: Source) => unknown
  /** Requests at once; 1 keeps the order, which is that of versions when all go to one place. */
  readonly atOnce: number
  readonly told: (outcome: Submitted) => void
  readonly signal: AbortSignal
}

const AGAIN_MS = [500, 2_000, 5_000] as const

/** Hands every file to the service, in order. Stops when it is no longer there; throws nothing but that it was stopped. */
export const submitAll = async (submission: Submission): Promise<readonly Submitted[]> => {
  const { sources, told, atOnce, signal } = submission
  const outcomes: Submitted[] = []
  const waiting = sources.entries()
  let gone: Error | undefined
  const work = async (): Promise<void> => {
    for (const [index, source] of waiting) {
      signal.throwIfAborted()
      const outcome: Submitted =
        gone === undefined ? await submitOne(submission, source) : { kind: 'unsent', source, error: gone }
      if (outcome.kind === 'unsent') gone ??= outcome.error
      outcomes[index] = outcome
      told(outcome)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, sources.length) }, work))
  return outcomes
}

const submitOne = async ({ api, bodyOf, signal }: Submission, source: Source): Promise<Submitted> => {
  const body = bodyOf(source)
  // The same for every attempt: whichever arrives first makes the upload, and the others are answered with it.
  const idempotencyKey = randomUUID()
  const ask = { method: 'POST', path: '/v1/uploads', body, idempotencyKey } as const
  try {
    return { kind: 'accepted', source, upload: await persist(() => api.ask(ask, upload), signal) }
  } catch (error) {
    signal.throwIfAborted()
    return outcomeOf(source, error)
  }
}

/** Asks again while the service is only away for a moment. */
export const persist = async <T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> => {
  for (let tries = 0; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      signal.throwIfAborted()
      const pause = AGAIN_MS[tries]
      if (pause === undefined || !isPassing(error)) throw error
      await sleep(pause, undefined, { signal })
    }
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof NotReachable ? error.lost : error instanceof Refused && error.status >= 502

/** What became of a file that the service did not take for this reason. */
export const outcomeOf = (source: Source, error: unknown): Submitted => {
  if (error instanceof Refused && error.status !== 401 && error.status < 500) {
    return { kind: 'refused', source, error }
  }
  return { kind: 'unsent', source, error: error instanceof Error ? error : new Error(String(error)) }
}
