import { formatBytes, formatPercent, formatSpeed } from '#producer/cli/terminal/format.ts'
import { padEnd, padStart, shorten, widthOf } from '#producer/cli/terminal/text.ts'
import type { Screen } from '../test/support/programs/screen.ts'
import { isEnded, type Upload } from './service.ts'

/** Shows how far the uploads are. */
export interface Progress extends Disposable {
  readonly see: (uploads: readonly Upload[]) => void
  /** What happened, with the time. Lines that go on begin with two spaces. */
  readonly say: (text: string) => void
}

/** Bars on a terminal, plain lines elsewhere. */
export const showProgress = (screen: Screen): Progress =>
  screen.isTerminal ? bars(screen) : plainLines(screen)

const states: Readonly<Record<string, string>> = {
  queued: 'waits',
  preparing: 'is hashed',
  transferring: 'is sent',
  finishing: 'finishes',
  confirming: 'is confirmed',
}

const stateOf = ({ state }: Upload): string => states[state] ?? state

const EVERY_MS = 2000

function plainLines(screen: Screen): Progress {
  const seen = new Map<string, string>()
  let total = 0
  const stamped = (text: string): void => screen.line(`  ${padStart(screen.clock(), 7)}  ${text}`)
  return {
    see: (uploads) => {
      for (const upload of uploads) {
        if (isEnded(upload) && seen.get(upload.id) !== upload.state)
          stamped(`${upload.fileName} ${stateOf(upload)}`)
        seen.set(upload.id, upload.state)
      }
      if (Date.now() - total < EVERY_MS) return
      total = Date.now()
      const { done, sent, size } = sumOf(uploads)
      const count = `${done} of ${uploads.length} done`
      stamped(
        `${count}, ${formatPercent(size === 0 ? 0 : sent / size)}, ${formatBytes(sent)} of ${formatBytes(size)}`,
      )
    },
    say: (text) => (text.startsWith(' ') ? screen.line(`${' '.repeat(9)}${text}`) : stamped(text)),
    [Symbol.dispose]: () => {},
  }
}

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'
// A terminal that knows these shows a frame as a whole; the others ignore them.
const FRAME = { begin: '\u001b[?2026h', end: '\u001b[?2026l' } as const

function bars(screen: Screen): Progress {
  let drawn = 0
  let above: string[] = []
  let last: readonly Upload[] = []
  const speed = createSpeed()
  const draw = (): void => {
    const lines = frame(screen, last, speed.now())
    const up = drawn > 0 ? `\u001b[${drawn}A` : ''
    const text = [...above, ...lines].map((line) => `${line}${REST_OF_LINE}\n`).join('')
    screen.write(`${FRAME.begin}\r${up}${text}${REST_OF_SCREEN}${FRAME.end}`)
    drawn = lines.length
    above = []
  }
  screen.write(HIDE_CURSOR)
  return {
    see: (uploads) => {
      last = uploads
      speed.at(sumOf(uploads).sent)
      draw()
    },
    say: (text) => {
      const line = text.startsWith(' ')
        ? `${' '.repeat(9)}${text}`
        : `  ${padStart(screen.clock(), 7)}  ${text}`
      above.push(...wrap(line, screen.columns()).map((piece) => screen.paint('event', piece)))
      draw()
    },
    [Symbol.dispose]: () => screen.write(SHOW_CURSOR),
  }
}

/** All must fit on the screen, or the cursor could not go back to where they begin. */
function frame(screen: Screen, uploads: readonly Upload[], bytesPerSecond: number): readonly string[] {
  const room = Math.max(1, screen.rows() - 3)
  const running = uploads.filter((upload) => !isEnded(upload))
  const fitting = uploads.length <= room ? uploads : running.slice(0, room - 1)
  const hidden = uploads.length - fitting.length
  const width = Math.min(28, Math.max(5, ...uploads.map(({ fileName }) => widthOf(fileName))))
  const { done, sent, size } = sumOf(uploads)
  const pace = done < uploads.length ? `${formatSpeed(bytesPerSecond)}  ` : ''
  const total = { sent, size, note: `${pace}${screen.clock()}` }
  return [
    ...fitting.map((upload) => uploadLine(screen, upload, width)),
    ...(hidden > 0 ? [`  … and ${hidden} more`] : []),
    screen.paint('bold', barLine(screen, `${done} of ${uploads.length} done`, width, total)),
  ]
}

function uploadLine(screen: Screen, upload: Upload, width: number): string {
  const { fileName, size, state, version } = upload
  const note = version === null ? stateOf(upload) : `version ${version.number}`
  const line = barLine(screen, fileName, width, { sent: sentOf(upload), size, note })
  if (state === 'completed') return screen.paint('good', line)
  if (isEnded(upload)) return screen.paint('bad', line)
  return state === 'queued' ? screen.paint('dim', line) : line
}

interface Bar {
  readonly sent: number
  readonly size: number
  readonly note: string
}

const BAR = { least: 6, most: 40 } as const

/** `  world.vrcw  ████░░░░  45%  12.0 MiB  is sent`, as much of it as there is room for. */
function barLine(screen: Screen, name: string, nameWidth: number, { sent, size, note }: Bar): string {
  const columns = screen.columns()
  // An empty file is there or it is not.
  const fraction = size === 0 ? Number(note.startsWith('version')) : sent / size
  const right = `${padStart(formatPercent(fraction), 4)}  ${padStart(formatBytes(size), 8)}  ${padEnd(note, 19)}`
  const room = columns - nameWidth - widthOf(right) - 6
  const bar = Math.max(BAR.least, Math.min(BAR.most, room))
  const full = Math.max(0, Math.min(bar, Math.floor(fraction * bar)))
  const drawn = '█'.repeat(full) + '░'.repeat(bar - full)
  return shorten(`  ${padEnd(shorten(name, nameWidth), nameWidth)}  ${drawn}  ${right}`.trimEnd(), columns)
}

const sentOf = ({ state, size, bytesSent }: Upload): number =>
  state === 'completed' ? size : Math.min(size, bytesSent)

function sumOf(uploads: readonly Upload[]): { done: number; sent: number; size: number } {
  return {
    done: uploads.filter(isEnded).length,
    sent: uploads.reduce((sum, upload) => sum + sentOf(upload), 0),
    size: uploads.reduce((sum, { size }) => sum + size, 0),
  }
}

// Bytes are counted when a whole part has arrived, so they come in jumps.
const WINDOW_MS = 4000

function createSpeed(): { readonly at: (bytes: number) => void; readonly now: () => number } {
  let samples: { readonly time: number; readonly bytes: number }[] = []
  return {
    at: (bytes) => {
      const time = performance.now()
      samples = [...samples.filter((sample) => sample.time > time - WINDOW_MS), { time, bytes }]
    },
    now: () => {
      const [first, last] = [samples[0], samples.at(-1)]
      if (first === undefined || last === undefined || first === last) return 0
      return Math.max(0, ((last.bytes - first.bytes) / (last.time - first.time)) * 1000)
    },
  }
}

/** Lines of at most so many columns, broken between words and indented like the first. */
function wrap(text: string, columns: number): readonly string[] {
  const indent = ' '.repeat(Math.min(11, columns - 10))
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/(?<=\S) /)) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && widthOf(longer) > columns) {
      lines.push(line)
      line = indent + word
    } else {
      line = longer
    }
  }
  return [...lines, shorten(line, columns)]
}
