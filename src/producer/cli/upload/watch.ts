import { setTimeout as sleep } from 'node:timers/promises'
import { ended, type Upload } from '../api/answers.ts'
import { Refused } from '../api/problem.ts'
import { NotReachable } from '../errors.ts'

interface Watching {
  readonly uploads: readonly Upload[]
  readonly read: (id: string) => Promise<Upload>
  readonly seen: (upload: Upload) => void
  /** The service is away, or there again. */
  readonly away: (why: string | undefined) => void
  readonly signal: AbortSignal
  readonly pace?: Partial<Pace>
}

interface Pace {
  /** Requests at once. */
  readonly atOnce: number
  /** Least time between two requests, on average. */
  readonly spacingMs: number
  /** How often an upload is looked at that changes. */
  readonly eagerMs: number
  /** How rarely one that does not. */
  readonly lazyMs: number
  /** How long the service may be away. */
  readonly patienceMs: number
  /** How soon it is asked again then; ever more slowly. */
  readonly againMs: number
}

const usual: Pace = {
  atOnce: 8,
  spacingMs: 25,
  eagerMs: 300,
  lazyMs: 3_000,
  patienceMs: 300_000,
  againMs: 500,
}
const MOST_AGAIN_MS = 5_000

interface Watched {
  upload: Upload
  dueAt: number
  pauseMs: number
}

/**
 * Looks at each upload until it has ended, those that move most often. Survives a service that is restarted.
 * Throws `NotReachable` when it stays away, and `Refused` for an upload that is gone.
 */
export const watchUploads = async ({ pace: given, ...watching }: Watching): Promise<void> => {
  const pace = { ...usual, ...given }
  const open = new Set<Watched>(
    watching.uploads
      .filter(({ state }) => !ended(state))
      .map((upload) => ({ upload, dueAt: 0, pauseMs: pace.eagerMs })),
  )
  const absence = createAbsence(watching.away, pace)
  while (open.size > 0) {
    const batch = nextOf(open, pace.atOnce)
    const restMs = Math.min(...batch.map(({ dueAt }) => dueAt)) - Date.now()
    if (restMs > 0) {
      await sleep(restMs, undefined, { signal: watching.signal })
      continue
    }
    const failures = await Promise.all(batch.map(async (one) => look(one, { open, pace, ...watching })))
    const failure = failures.find((error) => error !== undefined)
    const pauseMs = failure === undefined ? absence.over() : absence.goesOn(failure)
    await sleep(Math.max(pauseMs, batch.length * pace.spacingMs), undefined, { signal: watching.signal })
  }
}

/** What is due first; of what is due, the running ones. */
const nextOf = (open: ReadonlySet<Watched>, most: number): readonly Watched[] => {
  const now = Date.now()
  const due = [...open].filter(({ dueAt }) => dueAt <= now)
  const from = due.length > 0 ? due : [...open]
  const rank = ({ upload }: Watched): number => (upload.state === 'queued' ? 1 : 0)
  return from.toSorted((a, b) => (due.length > 0 ? rank(a) - rank(b) : 0) || a.dueAt - b.dueAt).slice(0, most)
}

interface Looking extends Pick<Watching, 'read' | 'seen' | 'signal'> {
  readonly open: Set<Watched>
  readonly pace: Pace
}

/** Answers the failure that time may heal. */
const look = async (
  one: Watched,
  { open, pace, read, seen, signal }: Looking,
): Promise<Error | undefined> => {
  const before = one.upload
  try {
    one.upload = await read(before.id)
  } catch (error) {
    signal.throwIfAborted()
    if (isAway(error)) return error
    throw error
  }
  if (ended(one.upload.state)) open.delete(one)
  const moves = one.upload.state !== before.state || one.upload.bytesSent !== before.bytesSent
  // Thousands that wait in the queue must not keep the running ones from being seen.
  const lazyMs =
    one.upload.state === 'queued' ? Math.max(pace.lazyMs, open.size * pace.spacingMs * 2) : pace.lazyMs
  one.pauseMs = moves ? pace.eagerMs : Math.min(one.pauseMs * 1.5, lazyMs)
  one.dueAt = Date.now() + one.pauseMs
  seen(one.upload)
  return undefined
}

const isAway = (error: unknown): error is Error =>
  error instanceof NotReachable || (error instanceof Refused && error.status >= 500)

const createAbsence = (away: Watching['away'], { patienceMs, againMs }: Pace) => {
  let since: number | undefined
  let pauseMs = againMs
  return {
    over: (): number => {
      if (since !== undefined) away(undefined)
      since = undefined
      pauseMs = againMs
      return 0
    },
    /** How long to pause; throws when it has been long enough. */
    goesOn: (failure: Error): number => {
      if (since === undefined) away(failure.message)
      since ??= Date.now()
      if (Date.now() - since >= patienceMs) throw failure
      const now = pauseMs
      pauseMs = Math.min(pauseMs * 2, MOST_AGAIN_MS)
      return now
    },
  }
}
