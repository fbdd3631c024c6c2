import { formatBytes } from '#producer/cli/terminal/format.ts'
import { renderTable, type Column } from '#producer/cli/terminal/table.ts'
import { widthOf } from '#producer/cli/terminal/text.ts'
import { places } from './places.ts'
import type { Arrival } from './verdict.ts'
import { type Screen, seconds } from '../test/support/programs/screen.ts'

interface Field<Row> extends Column {
  readonly of: (row: Row) => string
  /** In a terminal that is too narrow for all, those with the lowest number are left out first. */
  readonly dispensable?: number
}

const fileFields: readonly Field<Arrival>[] = [
  { title: 'File', shrinks: true, of: ({ file }) => file.name },
  { title: 'Provider', of: ({ file }) => file.to.title },
  { title: 'Size', align: 'right', dispensable: 6, of: ({ file }) => formatBytes(file.size) },
  { title: 'Parts', align: 'right', dispensable: 3, of: ({ parts }) => partsText(parts) },
  {
    title: 'Time',
    align: 'right',
    dispensable: 4,
    of: ({ ms }) => (ms === undefined ? '' : seconds(ms)),
  },
  { title: 'MB/s', align: 'right', dispensable: 1, of: speedText },
  { title: 'Resent', align: 'right', dispensable: 5, of: ({ resent }) => bytesOrNothing(resent) },
  { title: 'Version', align: 'right', dispensable: 2, of: ({ version = '' }) => String(version) },
  {
    title: 'Same SHA-256',
    of: ({ sha256, isSame }) =>
      sha256 === undefined ? 'MISSING' : `${isSame ? 'yes' : 'NO'} ${sha256.slice(0, 8)}`,
  },
]

function partsText(parts: Arrival['parts']): string {
  if (parts === undefined) return ''
  return parts.signature === 0 ? String(parts.file) : `${parts.file} + ${parts.signature}`
}

function speedText({ ms, file }: Arrival): string {
  return ms === undefined || file.size < 1000 ? '' : (file.size / 1000 / Math.max(1, ms)).toFixed(1)
}

const bytesOrNothing = (bytes: number): string => (bytes === 0 ? '' : formatBytes(bytes))

/** One line a file: how it went, and whether what arrived is what was sent. */
export function printTable(screen: Screen, arrivals: readonly Arrival[]): void {
  const [heading = '', ...lines] = linesOf(screen, fileFields, arrivals)
  screen.line(`  ${screen.paint('bold', heading)}`)
  lines.forEach((line, index) =>
    screen.line(`  ${screen.paint(arrivals[index]?.isSame === true ? 'good' : 'bad', line)}`),
  )
}

interface Total {
  readonly title: string
  readonly files: number
  readonly size: number
  readonly sent: number
  readonly resent: number
}

const totalFields: readonly Field<Total>[] = [
  { title: 'Provider', of: ({ title }) => title },
  { title: 'Files', align: 'right', of: ({ files }) => String(files) },
  { title: 'Size', align: 'right', of: ({ size }) => formatBytes(size) },
  { title: 'Sent', align: 'right', of: ({ sent }) => formatBytes(sent) },
  { title: 'Resent', align: 'right', of: ({ resent }) => formatBytes(resent) },
]

/** One line for each place: how much there was to send, and how much was sent. */
export function printTotals(screen: Screen, arrivals: readonly Arrival[]): void {
  const totals = places.map(({ title }) => totalOf(title, arrivals))
  const [heading = '', ...lines] = linesOf(screen, totalFields, totals)
  screen.line(`  ${screen.paint('bold', heading)}`)
  for (const line of lines) screen.line(`  ${line}`)
}

function totalOf(title: string, arrivals: readonly Arrival[]): Total {
  const own = arrivals.filter(({ file }) => file.to.title === title)
  const sum = (numberOf: (arrival: Arrival) => number): number =>
    own.reduce((sum, arrival) => sum + numberOf(arrival), 0)
  return {
    title,
    files: own.length,
    size: sum(({ file }) => file.size),
    sent: sum(({ sent }) => sent),
    resent: sum(({ resent }) => resent),
  }
}

// So much of a name tells one file from the other.
const LEAST_NAME = 12

/** As wide as it must be where it may be read by a program; else with what there is room for. */
function linesOf<Row>(
  screen: Screen,
  fields: readonly Field<Row>[],
  rows: readonly Row[],
): readonly string[] {
  const cells = (fields: readonly Field<Row>[]) => rows.map((row) => fields.map(({ of }) => of(row)))
  if (!screen.isTerminal) return renderTable(fields, cells(fields))
  const width = screen.columns() - 2
  const least = (fields: readonly Field<Row>[]): number =>
    widthOf(renderTable(fields.map(narrowed), cells(fields.map(narrowed)))[0] ?? '')
  const spare = fields.filter(({ dispensable }) => dispensable !== undefined)
  const order = spare.toSorted((a, b) => (a.dispensable ?? 0) - (b.dispensable ?? 0))
  let kept = fields
  for (const field of order) {
    if (least(kept) <= width) break
    kept = kept.filter((one) => one !== field)
  }
  return renderTable(kept, cells(kept), width)
}

/** With no more of a cell that may shrink than it needs. */
const narrowed = <Row>(field: Field<Row>): Field<Row> =>
  field.shrinks === true ? { ...field, of: () => '-'.repeat(LEAST_NAME) } : field
