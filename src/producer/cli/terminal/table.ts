import { padEnd, padStart, printable, shorten, widthOf } from './text.ts'

export interface Column {
  readonly title: string
  readonly align?: 'right'
  /** Gives up room when the table is wider than the terminal. */
  readonly shrinks?: true
}

const GAP = '  '
const LEAST = 8

/** Lines of a table with a heading. Without a width nothing is cut. */
export const renderTable = (
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width?: number,
): readonly string[] => {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(printable))]
  const widths = fit(
    columns,
    columns.map((_, index) => Math.max(...cells.map((row) => widthOf(row[index] ?? '')))),
    width,
  )
  return cells.map((row) =>
    columns
      .map((column, index) => cell(column, row[index] ?? '', widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  )
}

const fit = (columns: readonly Column[], natural: readonly number[], width?: number): readonly number[] => {
  if (width === undefined) return natural
  const excess = natural.reduce((sum, one) => sum + one, 0) + GAP.length * (columns.length - 1) - width
  if (excess <= 0) return natural
  return natural.map((one, index) =>
    columns[index]?.shrinks === true ? Math.max(Math.min(LEAST, one), one - excess) : one,
  )
}

const cell = ({ align }: Column, text: string, width: number): string => {
  const short = shorten(text, width)
  return align === 'right' ? padStart(short, width) : padEnd(short, width)
}

/** Lines of names and values, the values below each other. */
export const renderFields = (
  fields: readonly (readonly [string, string | undefined])[],
): readonly string[] => {
  // The loop below narrows what a filter would not.
  const shown = fields.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value] as const],
  )
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`)
}
