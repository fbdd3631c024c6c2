import { formatBytes } from '#producer/cli/terminal/format.ts'
import { renderTable, type Column } from '#producer/cli/terminal/table.ts'
import type { Arrival } from './verdict.ts'
import { type Screen, seconds } from '../test/support/programs/screen.ts'

const columns: readonly Column[] = [
  { title: 'File', shrinks: true },
  { title: 'Size', align: 'right' },
  { title: 'Parts', align: 'right' },
  { title: 'Time', align: 'right' },
  { title: 'MB/s', align: 'right' },
  { title: 'Version', align: 'right' },
  { title: 'Same SHA-256' },
]

/** One line a file: how it went, and whether what arrived is what was sent. */
export function printTable(screen: Screen, arrivals: readonly Arrival[]): void {
  // As wide as it must be where it may be read by a program.
  const width = screen.isTerminal ? screen.columns() - 2 : undefined
  const [heading, ...lines] = renderTable(columns, arrivals.map(rowOf), width)
  screen.line(`  ${screen.paint('bold', heading ?? '')}`)
  lines.forEach((line, index) =>
    screen.line(`  ${screen.paint(arrivals[index]?.isSame === true ? 'good' : 'bad', line)}`),
  )
}

function rowOf({ file, parts, ms, version, sha256, isSame }: Arrival): readonly string[] {
  return [
    file.name,
    formatBytes(file.size),
    parts === undefined ? '' : `${parts.file} + ${parts.signature}`,
    ms === undefined ? '' : seconds(ms),
    ms === undefined || file.size < 1000 ? '' : (file.size / 1000 / Math.max(1, ms)).toFixed(1),
    version === undefined ? '' : String(version),
    sha256 === undefined ? 'MISSING' : `${isSame ? 'yes' : 'NO'} ${sha256.slice(0, 8)}`,
  ]
}
