import { formatRatio } from './figures.ts'
import type { Goal, Row } from './report.ts'

type Format = (figure: number) => string

interface Pair {
  readonly ours: number
  readonly bare: number
}

/** Ours beside the bare loop's, and how many times that is. */
export const ratioRow = (what: string, format: Format, { ours, bare }: Pair): Row => ({
  what,
  ours: format(ours),
  bare: format(bare),
  ratio: formatRatio(ours, bare),
})

/** A figure that may not be larger. */
export const goalRow = (what: string, format: Format, figure: number, most: number): Row => ({
  what,
  ours: format(figure),
  goal: atMost(format, figure, most),
})

export const atMost = (format: Format, figure: number, most: number): Goal => ({
  text: `at most ${format(most)}`,
  holds: figure <= most,
})
