import { styleText } from 'node:util'

type Tone = 'good' | 'bad' | 'event' | 'dim' | 'bold'

/** The terminal, or whatever takes our lines instead. */
export interface Screen {
  readonly isTerminal: boolean
  readonly columns: () => number
  readonly rows: () => number
  /** As it is: for what is drawn in place. */
  readonly write: (text: string) => void
  readonly line: (text?: string) => void
  readonly heading: (text: string) => void
  /** The text in colour, where colours are wanted. */
  readonly paint: (tone: Tone, text: string) => string
  /** `12.3 s` since the program began. */
  readonly clock: () => string
}

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'> & NodeJS.WritableStream

const styles = { good: 'green', bad: 'red', event: 'yellow', dim: 'dim', bold: 'bold' } as const

export function createScreen(stream: Stream): Screen {
  const began = performance.now()
  // Validated against the stream: no colours in a pipe, nor with NO_COLOR.
  const paint = (tone: Tone, text: string): string => styleText(styles[tone], text, { stream })
  const write = (text: string): void => void stream.write(text)
  const line = (text = ''): void => write(`${text}\n`)
  return {
    isTerminal: stream.isTTY && process.env['TERM'] !== 'dumb',
    // One column is left free: some terminals wrap as soon as the last one is written.
    columns: () => Math.max(20, (stream.columns ?? 80) - 1),
    rows: () => stream.rows ?? 24,
    write,
    line,
    heading: (text) => line(`\n${paint('bold', text)}`),
    paint,
    clock: () => seconds(performance.now() - began),
  }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
