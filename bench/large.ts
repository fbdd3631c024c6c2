import { formatMib, formatRate, formatSeconds, GIB, medianBy, MIB } from './figures.ts'
import type { BareResult } from './bare/plan.ts'
import { atMost, ratioRow } from './rows.ts'
import type { Scenario } from './scenario.ts'
import { alternate, measureBare } from './service-run.ts'
import type { Work } from './service-run.ts'
import { makeSparse } from './sources.ts'

const WARM_UP_SIZE = 64 * MIB
const MOST_MEMORY = 200 * MIB

/** One large file, in parts. */
export const large: Scenario = {
  name: 'large',
  what: '1 GiB in parts of 16 MiB, 3 at once, against a bare loop of the same requests and hashes',
  run: async (bench) => {
    const size = bench.quick ? 128 * MIB : GIB
    const work: Work = {
      make: async (folder) => [
        await makeSparse(folder, 'warm-up.bin', WARM_UP_SIZE),
        await makeSparse(folder, 'file.bin', size),
      ],
      warmUp: 1,
      uploadsAtOnce: 1,
      partsAtOnce: 3,
      partSize: 16 * MIB,
      hashThreads: 1,
    }
    const rounds = bench.quick ? 1 : 3
    const { ours, bare } = await alternate(bench, work, rounds)
    const ceiling = await measureBare(bench, work, 'none')
    bench.report.settings({
      'parts of MiB': work.partSize / MIB,
      'parts at once': work.partsAtOnce,
      'ms between calls': 0,
      'hash passes at once': work.hashThreads,
      'warm-up MiB': WARM_UP_SIZE / MIB,
      rounds,
    })
    const wall = {
      ours: medianBy(ours, ({ wallMs }) => wallMs),
      bare: medianBy(bare, ({ wallMs }) => wallMs),
    }
    const cpu = { ours: medianBy(ours, ({ cpuMs }) => cpuMs), bare: medianBy(bare, ({ cpuMs }) => cpuMs) }
    const peak = { ours: peakOf(ours), bare: peakOf(bare) }
    bench.report.table([
      ratioRow('wall', formatSeconds, wall),
      { what: 'through', ours: formatRate(size, wall.ours), bare: formatRate(size, wall.bare) },
      ratioRow('CPU, serve + worker', formatSeconds, cpu),
      { what: 'CPU, Redis', ours: formatSeconds(medianBy(ours, ({ redisMs }) => redisMs)) },
      {
        ...ratioRow('peak memory, worker', formatMib, peak),
        goal: atMost(formatMib, peak.ours, MOST_MEMORY),
      },
      { what: 'the fake alone, nothing hashed', ours: '', bare: formatRate(size, ceiling.wallMs) },
    ])
  },
}

const peakOf = (results: readonly BareResult[]): number =>
  Math.max(...results.map(({ peakBytes }) => peakBytes))
