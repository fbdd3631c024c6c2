import { ended } from '../api/answers.ts'
import type { Io, Output } from '../io.ts'
import { formatBytes, formatClock, formatPercent, formatSpeed } from '../terminal/format.ts'
import { padEnd, padStart, printable, shorten, widthOf } from '../terminal/text.ts'
import { endLine, type Display } from './display.ts'
import type { Progress, ProgressModel, Total } from './progress.ts'

const REDRAW_MS = 100
const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'
// A terminal that knows these shows a frame as a whole; the others ignore them.
const FRAME = { begin: '\u001b[?2026h', end: '\u001b[?2026l' } as const

interface Bars {
  readonly output: Output
  readonly env: Io['env']
  readonly progress: ProgressModel
}

/** A bar for each running upload and one for all, redrawn in place; what has ended stays above them. */
export const createBars = ({ output, env, progress }: Bars): Display => {
  let drawn = 0
  let above: string[] = []
  let dirty = true
  const paint = painter(env)
  const draw = (): void => {
    const lines = frame(progress, { columns: columnsOf(output), rows: output.rows ?? 24, paint })
    const up = drawn > 0 ? `\u001b[${drawn}A` : ''
    const text = [...above, ...lines].map((line) => `${line}${REST_OF_LINE}\n`).join('')
    output.write(`${FRAME.begin}\r${up}${text}${REST_OF_SCREEN}${FRAME.end}`)
    drawn = lines.length
    above = []
    dirty = false
  }
  // Speed and time left change by themselves, but not so fast.
  let ticks = 0
  const timer = setInterval(() => {
    if (dirty || ++ticks % 10 === 0) draw()
  }, REDRAW_MS)
  output.write(HIDE_CURSOR)
  return {
    see: (upload) => {
      const changed = progress.see(upload)
      if (changed && ended(upload.state))
        above.push(paint(upload.state, endLine(progress.one(upload.id)?.name ?? '', upload)))
      dirty = true
    },
    say: (text) => {
      above.push(...text.split('\n').map(printable))
      dirty = true
    },
    [Symbol.dispose]: () => {
      clearInterval(timer)
      draw()
      output.write(SHOW_CURSOR)
    },
  }
}

type Paint = (state: string, text: string) => string

const colours: Readonly<Record<string, string>> = {
  completed: '32',
  skipped: '36',
  failed: '31',
  cancelled: '33',
}

const painter =
  (env: Io['env']): Paint =>
  (state, text) => {
    const colour = colours[state]
    if (colour === undefined || (env['NO_COLOR'] ?? '') !== '') return text
    return `\u001b[${colour}m${text}\u001b[39m`
  }

// One column is left free: some terminals wrap as soon as the last one is written.
const columnsOf = ({ columns = 80 }: Output): number => Math.max(20, columns - 1)

interface Room {
  readonly columns: number
  readonly rows: number
}

const frame = (
  progress: ProgressModel,
  { columns, rows, paint }: Room & { readonly paint: Paint },
): readonly string[] => {
  const running = progress.running()
  // All must fit on the screen, or the cursor could not go back to where they begin.
  const room = Math.max(1, rows - 3)
  const shown = running.slice(0, running.length > room ? room - 1 : room)
  const hidden = running.length - shown.length
  return [
    ...shown.map((one) => barLine(one, columns)),
    ...(hidden > 0 ? [shorten(`… and ${hidden} more`, columns)] : []),
    paint('total', totalLine(progress.total(), columns)),
  ]
}

const NAME = { least: 8, most: 32 } as const
const BAR = { least: 5, most: 30 } as const

/** `world.vrcw  ━━━━────  45%  12.0 MiB / 27.0 MiB  3.1 MiB/s  0:05`, as much of it as there is room for. */
export const barLine = (one: Progress, columns: number): string => {
  const numbers = [
    padStart(formatPercent(one.fraction), 4),
    padStart(`${formatBytes(one.sent)} / ${formatBytes(one.size)}`, 19),
    one.waitingFor === undefined ? activity(one) : `waits: ${printable(one.waitingFor)}`,
  ]
  return assemble(printable(one.name), { fraction: one.fraction, numbers, columns })
}

const activity = ({ state, bytesPerSecond, etaMs }: Progress): string => {
  if (state !== 'transferring') return state
  return `${padStart(formatSpeed(bytesPerSecond), 10)}  ${etaMs === undefined ? '' : `ETA ${formatClock(etaMs)}`}`.trimEnd()
}

export const totalLine = (total: Total, columns: number): string => {
  const { uploads, ended, failed, fraction, etaMs } = total
  const numbers = [
    padStart(formatPercent(fraction), 4),
    padStart(`${formatBytes(total.sent)} / ${formatBytes(total.size)}`, 19),
    `${padStart(formatSpeed(total.bytesPerSecond), 10)}  ${etaMs === undefined ? '' : `ETA ${formatClock(etaMs)}`}`.trimEnd(),
  ]
  const title = `${ended} of ${uploads} done${failed > 0 ? `, ${failed} failed` : ''}`
  return assemble(title, { fraction, numbers, columns })
}

interface Pieces {
  readonly fraction: number
  /** Most important first. */
  readonly numbers: readonly string[]
  readonly columns: number
}

const assemble = (name: string, { fraction, numbers, columns }: Pieces): string => {
  const kept = [...numbers]
  const widthOfKept = (): number => kept.reduce((sum, text) => sum + 2 + widthOf(text), 0)
  while (kept.length > 1 && NAME.least + 2 + BAR.least + widthOfKept() > columns) kept.pop()
  const room = columns - widthOfKept() - 2
  const bar = Math.max(BAR.least, Math.min(BAR.most, Math.floor(room / 2)))
  const width = Math.max(1, Math.min(NAME.most, room - bar))
  const title = padEnd(shorten(name, width), width)
  return shorten([title, drawBar(fraction, bar), ...kept].join('  ').trimEnd(), columns)
}

const drawBar = (fraction: number, width: number): string => {
  const full = Math.max(0, Math.min(width, Math.round(fraction * width)))
  return '█'.repeat(full) + '░'.repeat(width - full)
}
