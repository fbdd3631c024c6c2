import { GIB, MIB } from './figures.ts'
import { oneFileRows, sayRounds } from './result-rows.ts'
import type { Scenario } from './scenario.ts'
import { alternate, measureBare } from './service-run.ts'
import type { Work } from './service-run.ts'
import { makeSparse } from './sources.ts'

const PART_SIZE = 16 * MIB
const WARM_UP_SIZE = 64 * MIB

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
      to: { provider: 'vrchat', partSize: PART_SIZE },
      hashThreads: 1,
    }
    const rounds = bench.quick ? 1 : 3
    const { ours, bare } = await alternate(bench, work, rounds)
    const ceiling = await measureBare(bench, work, 'none')
    bench.report.settings({
      'parts of MiB': PART_SIZE / MIB,
      'parts at once': work.partsAtOnce,
      'ms between calls': 0,
      'hash passes at once': work.hashThreads,
      'warm-up MiB': WARM_UP_SIZE / MIB,
      rounds,
    })
    bench.report.table(oneFileRows({ ours, bare, ceiling, size }))
    sayRounds(bench.report, { ours, bare })
  },
}
