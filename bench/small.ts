import { KIB, MIB } from './figures.ts'
import { manyFilesRows, sayCommands, sayRounds } from './result-rows.ts'
import type { Scenario } from './scenario.ts'
import { alternate, measureBare } from './service-run.ts'
import type { Work } from './service-run.ts'
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
      to: { provider: 'vrchat', partSize: 16 * MIB },
      hashThreads: 2,
    }
    const rounds = bench.quick || bench.profileDir !== undefined ? 1 : 3
    const { ours, bare } = await alternate(bench, work, rounds)
    const ceiling = await measureBare(bench, work, 'none')
    bench.report.settings({
      files: count,
      'uploads at once': work.uploadsAtOnce,
      'API calls at once': work.uploadsAtOnce,
      'ms between calls': 0,
      'hash passes at once': work.hashThreads,
      'warm-up files': WARM_UP,
      rounds,
    })
    bench.report.table(manyFilesRows({ ours, bare, ceiling, count, mostMs: MOST_MS }))
    sayRounds(bench.report, { ours, bare })
    sayCommands(bench.report, ours.at(-1), count)
  },
}
