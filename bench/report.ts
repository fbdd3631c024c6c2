import { type Column, renderTable } from '#producer/cli/terminal/table.ts'

/** One line of a scenario's table. */
export interface Row {
  readonly what: string
  readonly ours: string
  /** The same without a queue, if there is such a thing. */
  readonly bare?: string
  /** Ours to bare, or what else the goal is about. */
  readonly ratio?: string
  readonly goal?: Goal
}

export interface Goal {
  readonly text: string
  readonly holds: boolean
}

/** Where figures are written to. */
export interface Report {
  readonly line: (text?: string) => void
  /** What the figures below were measured with. */
  readonly settings: (settings: Readonly<Record<string, string | number>>) => void
  readonly table: (rows: readonly Row[]) => void
}

const columns: readonly Column[] = [
  { title: 'what' },
  { title: 'ours', align: 'right' },
  { title: 'bare loop', align: 'right' },
  { title: 'ratio', align: 'right' },
  { title: 'goal' },
  { title: 'holds' },
]

/** Plain lines, which read well in a terminal and in a file. */
export function createReport(write: (line: string) => void): Report {
  const line = (text = ''): void => write(text)
  return {
    line,
    settings: (settings) => {
      const texts = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
      for (const text of wrapped(texts)) line(`  ${text}`)
    },
    table: (rows) => {
      line()
      for (const text of renderTable(columns, rows.map(cellsOf))) line(`  ${text}`)
    },
  }
}

const cellsOf = ({ what, ours, bare = '', ratio = '', goal }: Row): readonly string[] => [
  what,
  ours,
  bare,
  ratio,
  goal?.text ?? '',
  goal === undefined ? '' : goal.holds ? 'yes' : 'NO',
]

const WIDTH = 110

function wrapped(texts: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (const text of texts) {
    const last = lines.at(-1)
    if (last === undefined || last.length + text.length > WIDTH) lines.push(text)
    else lines[lines.length - 1] = `${last}, ${text}`
  }
  return lines
}
