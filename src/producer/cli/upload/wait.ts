import { arrived, upload, type Upload } from '../api/answers.ts'
import { at } from '../api/client.ts'
import type { Context } from '../command.ts'
import { Interrupted } from '../errors.ts'
import { line, type Io } from '../io.ts'
import { count } from '../terminal/format.ts'
import { createBars } from './bars.ts'
import type { Display } from './display.ts'
import { createPlain } from './plain.ts'
import { createProgress } from './progress.ts'
import type { Submitted } from './submit.ts'
import { watchUploads } from './watch.ts'

type Accepted = Submitted & { readonly kind: 'accepted' }

interface Waiting {
  /** Standard output is kept for the result. */
  readonly json: boolean
  readonly context: Context
}

/** Waits until all have ended and shows how they go on. Answers how they ended, by id. */
export const waitFor = async (
  accepted: readonly Accepted[],
  { json, context }: Waiting,
): Promise<ReadonlyMap<string, Upload>> => {
  const { io, api, signal } = context
  const uploads = accepted.map(({ upload }) => upload)
  const latest = new Map(uploads.map((upload) => [upload.id, upload]))
  const output = json ? io.err : io.out
  try {
    using display = openDisplay(
      io,
      output,
      new Map(accepted.map(({ upload, source }) => [upload.id, source.name])),
    )
    const seen = (upload: Upload): void => {
      latest.set(upload.id, upload)
      display.see(upload)
    }
    for (const upload of uploads) seen(upload)
    await watchUploads({
      uploads,
      read: async (id) => api.ask({ path: at`/v1/uploads/${id}` }, upload),
      seen,
      away: (why) => display.say(why === undefined ? 'The service answers again' : awayText(why)),
      signal,
    })
  } catch (error) {
    if (signal.aborted) throw stopped(signal.reason)
    throw error
  }
  const ends = [...latest.values()]
  if (ends.length > 0) line(output, summaryOf(ends))
  return latest
}

const openDisplay = (io: Io, output: Io['out'], names: ReadonlyMap<string, string>): Display => {
  const progress = createProgress(names)
  const canDraw = output.isTTY === true && io.env['TERM'] !== 'dumb'
  return canDraw ? createBars({ output, env: io.env, progress }) : createPlain({ output, progress })
}

const awayText = (why: string): string =>
  `${why.split('\n')[0] ?? ''}\nStill trying, for some minutes. What was accepted goes on when the service does`

const stopped = (reason: unknown): Interrupted =>
  new Interrupted(
    reason instanceof Interrupted ? reason.exitCode : 130,
    'No longer waiting. The uploads go on: `stevedore list` shows them, `stevedore cancel ID` stops one',
  )

/** `11 completed, 1 failed`. */
const summaryOf = (uploads: readonly Upload[]): string => {
  const states = uploads.map(({ state }) => state)
  const kinds = [...new Set(states)].toSorted((a, b) => Number(arrived(b)) - Number(arrived(a)))
  const counts = kinds.map((kind) => `${states.filter((state) => state === kind).length} ${kind}`)
  return `${count(uploads.length, 'upload')}: ${counts.join(', ')}`
}
