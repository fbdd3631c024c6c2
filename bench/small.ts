import { formatMs, KIB, medianBy, MIB } from './figures.ts'
import type { BareResult } from './bare/plan.ts'
import { goalRow, ratioRow } from './rows.ts'
import type { Bench, Scenario } from './scenario.ts'
import { alternate, measureBare } from './service-run.ts'
import type { ServiceResult, Work } from './service-run.ts'
import { makeFiles } from './sources.ts'

const SIZE = 64 * KIB
const WARM_UP = 100
// A millisecond and a half is what a queue may cost a file.
const MOST_MS = 1.5

/** Many small files, each to a VRChat File of its own. */
export const small: Scenario = {
  name: 'small',
  what: '2,000 files of 64 KiB, each to a File of its own, against a bare loop of the same requests',
  run: async (bench) => {
    const count = bench.quick ? 100 : 2000
    const work: Work = {
      make: async (folder) => makeFiles(folder, 'file', { count: WARM_UP + count, size: SIZE }),
      warmUp: WARM_UP,
      uploadsAtOnce: 16,
      partsAtOnce: 1,
      partSize: 16 * MIB,
      hashThreads: 2,
    }
    const rounds = bench.quick || bench.profileDir !== undefined ? 1 : 3
    const { ours, bare } = await alternate(bench, work, rounds)
    const ceiling = await measureBare(bench, work, 'none')
    const wall = perFile(ours, bare, count, ({ wallMs }) => wallMs)
    const cpu = perFile(ours, bare, count, ({ cpuMs }) => cpuMs)
    bench.report.settings({
      files: count,
      'uploads at once': work.uploadsAtOnce,
      'API calls at once': work.uploadsAtOnce,
      'ms between calls': 0,
      'hash passes at once': work.hashThreads,
      'warm-up files': WARM_UP,
      rounds,
    })
    bench.report.table([
      ratioRow('wall a file', formatMs, wall),
      ratioRow('CPU a file, serve + worker', formatMs, cpu),
      { what: 'CPU a file, Redis', ours: formatMs(medianBy(ours, ({ redisMs }) => redisMs) / count) },
      { what: 'CPU a file, the fake', ours: formatMs(medianBy(ours, ({ fakeMs }) => fakeMs) / count) },
      goalRow('more wall a file', formatMs, wall.ours - wall.bare, MOST_MS),
      goalRow('more CPU a file, without Redis', formatMs, cpu.ours - cpu.bare, MOST_MS),
      { what: 'wall a file, nothing hashed', ours: '', bare: formatMs(ceiling.wallMs / count) },
    ])
    sayCommands(bench, ours.at(-1), count)
  },
}

const perFile = (
  ours: readonly BareResult[],
  bare: readonly BareResult[],
  count: number,
  figureOf: (result: BareResult) => number,
) => ({ ours: medianBy(ours, figureOf) / count, bare: medianBy(bare, figureOf) / count })

/** What Redis was asked, a file: where a queue's cost comes from. */
function sayCommands({ report }: Bench, last: ServiceResult | undefined, count: number): void {
  const commands = [...(last?.commands ?? [])].toSorted(([, a], [, b]) => b - a)
  const total = commands.reduce((sum, [, calls]) => sum + calls, 0)
  const most = commands.slice(0, 12).map(([name, calls]) => `${name} ${(calls / count).toFixed(1)}`)
  report.line(`\n  Redis commands a file, scripts' own included: ${(total / count).toFixed(1)}`)
  report.line(`  ${most.join(', ')}`)
  report.line(`  Runs of an upload's own job: ${(last?.runs ?? 0).toFixed(2)}`)
}
