import { KIB } from './figures.ts'
import { manyFilesRows, sayCommands, sayRounds } from './result-rows.ts'
import type { Bench, Scenario } from './scenario.ts'
import { alternate, measureBare } from './service-run.ts'
import type { Work } from './service-run.ts'
import { makeFiles } from './sources.ts'

const SIZE = 16 * KIB
const WARM_UP = 100
// As for VRChat's: what a queue may cost a file.
const MOST_MS = 1.5

/** Many small files to Cloudreve, to the site itself and to a store of it. */
export const cloudreveSmall: Scenario = {
  name: 'cloudreve-small',
  what: '2,000 files of 16 KiB to Cloudreve, local and s3, against a bare loop of the same requests',
  run: async (bench) => {
    await run(bench, 'local')
    await run(bench, 's3')
  },
}

async function run(bench: Bench, policy: 'local' | 's3'): Promise<void> {
  const count = bench.quick ? 100 : 2000
  const work: Work = {
    make: async (folder) => makeFiles(folder, 'file', { count: WARM_UP + count, size: SIZE }),
    warmUp: WARM_UP,
    uploadsAtOnce: 16,
    partsAtOnce: 1,
    to: { provider: 'cloudreve', policy },
    hashThreads: 1,
  }
  const rounds = bench.quick || bench.profileDir !== undefined ? 1 : 3
  const { ours, bare } = await alternate(bench, work, rounds)
  const ceiling = await measureBare(bench, work, 'none')
  bench.report.line(`\n  ${policy}`)
  bench.report.settings({
    files: count,
    'uploads at once': work.uploadsAtOnce,
    'API calls at once': work.uploadsAtOnce,
    'ms between calls': 0,
    'MD5 of the files': policy === 's3' ? 'on the way, on both sides' : 'on neither side',
    'warm-up files': WARM_UP,
    rounds,
  })
  bench.report.table(manyFilesRows({ ours, bare, ceiling, count, mostMs: MOST_MS }))
  sayRounds(bench.report, { ours, bare })
  sayCommands(bench.report, ours.at(-1), count)
}
