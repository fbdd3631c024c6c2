import type { Screen } from '../test/support/programs/screen.ts'
import type { Evidence } from './evidence.ts'
import type { PlannedKill } from './plan.ts'
import type { Finding } from './finding.ts'
import type { Verdict } from './verdict.ts'

// Of each sort: the first ones tell the story.
const MOST_LINES = 20

/** The figures, a line each, then whatever was found. */
export function printVerdict({ line, paint }: Screen, verdict: Verdict, { kills, fired }: Evidence): void {
  const { waste } = verdict
  const figure = (name: string, value: string): void => line(`  ${name.padEnd(24)} ${value}`)
  const count = (name: string, findings: readonly Finding[]): void =>
    figure(name, paint(findings.length === 0 ? 'good' : 'bad', String(findings.length)))
  count('lost', verdict.lost)
  count('duplicated', verdict.duplicated)
  count('corrupt', verdict.corrupt)
  count('orphans', verdict.orphans)
  count('other findings', verdict.other)
  figure('wasted bytes per kill', `${waste.perKill} (at most ${waste.bound})`)
  figure('wasted bytes', `${waste.bytes}, of them up to ${waste.byFaults} in requests that a fault hit`)
  figure('kills', `${kills.length}${inBrackets(countKinds(kills))}`)
  figure('faults', `${sum(Object.values(fired))}${inBrackets(fired)}`)
  for (const [name, findings] of Object.entries(verdict)) {
    if (Array.isArray(findings)) printFindings(line, name, findings)
  }
}

function countKinds(kills: readonly PlannedKill[]): Record<string, number> {
  const kinds = Map.groupBy(kills, ({ kind }) => kind)
  return Object.fromEntries([...kinds].map(([kind, group]) => [kind, group.length]))
}

function inBrackets(counts: Readonly<Record<string, number>>): string {
  const texts = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

function printFindings(line: Screen['line'], name: string, findings: readonly Finding[]): void {
  for (const { id, what } of findings.slice(0, MOST_LINES)) {
    line(`  ✗ ${name}: ${id === undefined ? '' : `${id}: `}${what}`)
  }
  if (findings.length > MOST_LINES) line(`  ✗ ${name}: and ${findings.length - MOST_LINES} more`)
}
