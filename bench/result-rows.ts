import type { BareResult } from './bare/plan.ts'
import { formatMib, formatMs, formatRate, formatSeconds, formatTimes, medianBy, MIB } from './figures.ts'
import type { Report, Row } from './report.ts'
import { atMost, goalRow, ratioRow } from './rows.ts'
import type { ServiceResult } from './service-run.ts'

interface Results {
  readonly ours: readonly ServiceResult[]
  readonly bare: readonly BareResult[]
  /** Zeros from memory, nothing hashed: what the fake can take. */
  readonly ceiling: BareResult
}

const MOST_MEMORY = 200 * MIB

/** Of one large file of so many bytes; `most`: how many times the bare loop's time it may take, if there is a goal. */
export function oneFileRows({
  ours,
  bare,
  ceiling,
  size,
  most,
}: Results & { readonly size: number; readonly most?: number }): readonly Row[] {
  const of = (figureOf: (result: BareResult) => number) => ({
    ours: medianBy(ours, figureOf),
    bare: medianBy(bare, figureOf),
  })
  const wall = of(({ wallMs }) => wallMs)
  const peak = { ours: peakOf(ours), bare: peakOf(bare) }
  return [
    {
      ...ratioRow('wall', formatSeconds, wall),
      ...(most !== undefined && { goal: atMost(formatTimes, wall.ours / wall.bare, most) }),
    },
    { what: 'through', ours: formatRate(size, wall.ours), bare: formatRate(size, wall.bare) },
    ratioRow(
      'CPU, serve + worker',
      formatSeconds,
      of(({ cpuMs }) => cpuMs),
    ),
    { what: 'CPU, Redis', ours: formatSeconds(medianBy(ours, ({ redisMs }) => redisMs)) },
    { what: 'CPU, the fake', ours: formatSeconds(medianBy(ours, ({ fakeMs }) => fakeMs)) },
    {
      ...ratioRow('peak memory, worker', formatMib, peak),
      goal: atMost(formatMib, peak.ours, MOST_MEMORY),
    },
    { what: 'the fake alone, nothing hashed', ours: '', bare: formatRate(size, ceiling.wallMs) },
  ]
}

const peakOf = (results: readonly BareResult[]): number =>
  Math.max(...results.map(({ peakBytes }) => peakBytes))

/** Of so many small files; `mostMs`: how much more each may take than in the bare loop. */
export function manyFilesRows({
  ours,
  bare,
  ceiling,
  count,
  mostMs,
}: Results & { readonly count: number; readonly mostMs: number }): readonly Row[] {
  const each = (figureOf: (result: BareResult) => number) => ({
    ours: medianBy(ours, figureOf) / count,
    bare: medianBy(bare, figureOf) / count,
  })
  const [wall, cpu] = [each(({ wallMs }) => wallMs), each(({ cpuMs }) => cpuMs)]
  return [
    ratioRow('wall a file', formatMs, wall),
    ratioRow('CPU a file, serve + worker', formatMs, cpu),
    { what: 'CPU a file, Redis', ours: formatMs(medianBy(ours, ({ redisMs }) => redisMs) / count) },
    { what: 'CPU a file, the fake', ours: formatMs(medianBy(ours, ({ fakeMs }) => fakeMs) / count) },
    { what: 'peak memory, worker', ours: formatMib(peakOf(ours)), bare: formatMib(peakOf(bare)) },
    goalRow('more wall a file', formatMs, wall.ours - wall.bare, mostMs),
    goalRow('more CPU a file, without Redis', formatMs, cpu.ours - cpu.bare, mostMs),
    { what: 'wall a file, nothing hashed', ours: '', bare: formatMs(ceiling.wallMs / count) },
  ]
}

/** The rounds that medians were taken of: where they lie far apart, something else was at work on the machine. */
export function sayRounds(report: Report, { ours, bare }: Omit<Results, 'ceiling'>): void {
  report.line(`\n  Wall of each round: ours ${walls(ours)}; bare loop ${walls(bare)}`)
}

const walls = (results: readonly BareResult[]): string =>
  results.map(({ wallMs }) => formatSeconds(wallMs)).join(', ')

/** What Redis was asked, a file: where a queue's cost comes from. */
export function sayCommands(report: Report, last: ServiceResult | undefined, count: number): void {
  const commands = [...(last?.commands ?? [])].toSorted(([, a], [, b]) => b - a)
  const total = commands.reduce((sum, [, calls]) => sum + calls, 0)
  const most = commands.slice(0, 12).map(([name, calls]) => `${name} ${(calls / count).toFixed(1)}`)
  report.line(`\n  Redis commands a file, scripts' own included: ${(total / count).toFixed(1)}`)
  report.line(`  ${most.join(', ')}`)
  report.line(`  Runs of an upload's own job: ${(last?.runs ?? 0).toFixed(2)}`)
}
