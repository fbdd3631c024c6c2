import { arrived, ended, type Upload } from '../api/answers.ts'

/** One upload as it is shown. Bytes are the source's; what else a provider wants is left out. */
export interface Progress {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly size: number
  readonly sent: number
  /** 0 to 1. */
  readonly fraction: number
  readonly bytesPerSecond: number
  readonly etaMs?: number
  readonly waitingFor?: string
}

export interface Total extends Omit<Progress, 'id' | 'name' | 'state' | 'waitingFor'> {
  readonly uploads: number
  readonly ended: number
  readonly failed: number
  readonly running: number
  readonly queued: number
}

export interface ProgressModel {
  /** Takes in an upload as the service shows it; answers whether its state is another one. */
  readonly see: (upload: Upload) => boolean
  /** Those that are neither queued nor ended, in the order they came. */
  readonly running: () => readonly Progress[]
  readonly one: (id: string) => Progress | undefined
  readonly total: () => Total
}

interface Seen {
  name: string
  upload: Upload
  readonly speed: Speed
}

/** Progress of several uploads. `now` in ms. */
export const createProgress = (
  names: ReadonlyMap<string, string>,
  now: () => number = Date.now,
): ProgressModel => {
  const seen = new Map<string, Seen>()
  const speed = createSpeed(now)
  const all = (): readonly Seen[] => [...seen.values()]
  return {
    see: (upload) => {
      const before = seen.get(upload.id)
      const entry = before ?? { name: names.get(upload.id) ?? upload.id, upload, speed: createSpeed(now) }
      const changed = before?.upload.state !== upload.state
      entry.upload = upload
      entry.speed.at(sentOf(upload))
      seen.set(upload.id, entry)
      speed.at(all().reduce((sum, { upload }) => sum + sentOf(upload), 0))
      return changed
    },
    running: () =>
      all()
        .filter(({ upload: { state } }) => state !== 'queued' && !ended(state))
        .map(progressOf),
    one: (id) => {
      const entry = seen.get(id)
      return entry && progressOf(entry)
    },
    total: () => totalOf(all(), speed.now()),
  }
}

const sentOf = ({ size, bytesSent, state }: Upload): number =>
  arrived(state) ? size : Math.min(size, bytesSent)

const progressOf = ({ name, upload, speed }: Seen): Progress => {
  const { id, state, size, waitingFor } = upload
  const sent = sentOf(upload)
  return {
    id,
    name,
    state,
    ...(waitingFor !== undefined && { waitingFor }),
    ...measures({ size, sent, bytesPerSecond: speed.now() }),
    // Sent is not yet arrived: a bar is full when the provider says so.
    fraction: arrived(state) ? 1 : Math.min(0.99, size === 0 ? 0 : sent / size),
  }
}

const totalOf = (all: readonly Seen[], bytesPerSecond: number): Total => {
  const uploads = all.map(({ upload }) => upload)
  const lost = uploads.filter(({ state }) => ended(state) && !arrived(state))
  // What failed is no longer waited for.
  const wanted = uploads.filter((upload) => !lost.includes(upload))
  const [size, sent] = [sumOf(wanted, ({ size }) => size), sumOf(wanted, sentOf)]
  const [done, queued] = [
    uploads.filter(({ state }) => ended(state)).length,
    uploads.filter(({ state }) => state === 'queued').length,
  ]
  return {
    ...measures({ size, sent, bytesPerSecond }),
    uploads: uploads.length,
    ended: done,
    failed: lost.length,
    queued,
    running: uploads.length - done - queued,
  }
}

const sumOf = (uploads: readonly Upload[], of: (upload: Upload) => number): number =>
  uploads.reduce((sum, upload) => sum + of(upload), 0)

const measures = (known: {
  readonly size: number
  readonly sent: number
  readonly bytesPerSecond: number
}) => {
  const left = known.size - known.sent
  const moves = known.bytesPerSecond > 0 && left > 0
  return {
    ...known,
    fraction: known.size === 0 ? 0 : known.sent / known.size,
    ...(moves && { etaMs: (left / known.bytesPerSecond) * 1000 }),
  }
}

interface Speed {
  readonly at: (bytes: number) => void
  readonly now: () => number
}

// Bytes are counted when a whole part has arrived, so they come in jumps.
const WINDOW_MS = 15_000

/** Bytes per second over the last seconds; falls to 0 while nothing comes. */
export const createSpeed = (now: () => number, windowMs: number = WINDOW_MS): Speed => {
  let samples: { readonly time: number; readonly bytes: number }[] = []
  return {
    at: (bytes) => {
      const time = now()
      const recent = samples.findIndex((sample) => sample.time > time - windowMs)
      // The last one before the window is its beginning.
      samples = recent === -1 ? samples.slice(-1) : samples.slice(Math.max(0, recent - 1))
      samples.push({ time, bytes })
    },
    now: () => {
      const [first, last] = [samples[0], samples.at(-1)]
      if (first === undefined || last === undefined) return 0
      const ms = Math.max(now() - first.time, 1_000)
      return Math.max(0, ((last.bytes - first.bytes) / ms) * 1000)
    },
  }
}
