import { GIB, MIB } from './figures.ts'
import { oneFileRows, sayRounds } from './result-rows.ts'
import type { Bench, Scenario } from './scenario.ts'
import { alternate, measureBare } from './service-run.ts'
import type { Work } from './service-run.ts'
import { makeSparse } from './sources.ts'

// As sites have it unless they were told otherwise.
const CHUNK_SIZE = 25 * MIB
const WARM_UP_SIZE = 64 * MIB
// Nothing is hashed beforehand, so there is little but the way of the bytes.
const MOST = 1.1

/** One large file to Cloudreve: in order to the site itself, and in parallel to a store of it. */
export const cloudreveLarge: Scenario = {
  name: 'cloudreve-large',
  what: '1 GiB to Cloudreve, local in order and s3 in parallel, against a bare loop of the same requests',
  run: async (bench) => {
    await run(bench, { policy: 'local', atOnce: 1 })
    await run(bench, { policy: 's3', atOnce: 3 })
  },
}

interface Way {
  readonly policy: 'local' | 's3'
  readonly atOnce: number
}

async function run(bench: Bench, { policy, atOnce }: Way): Promise<void> {
  const size = bench.quick ? 128 * MIB : GIB
  const work: Work = {
    make: async (folder) => [
      await makeSparse(folder, 'warm-up.bin', WARM_UP_SIZE),
      await makeSparse(folder, 'file.bin', size),
    ],
    warmUp: 1,
    uploadsAtOnce: 1,
    partsAtOnce: atOnce,
    to: { provider: 'cloudreve', policy },
    hashThreads: 1,
    fake: [`--cloudreve-chunk-size=${CHUNK_SIZE}`, `--cloudreve-concurrency=${atOnce}`],
  }
  const rounds = bench.quick || bench.profileDir !== undefined ? 1 : 3
  const { ours, bare } = await alternate(bench, work, rounds)
  const ceiling = await measureBare(bench, work, 'none')
  bench.report.line(`\n  ${policy}`)
  bench.report.settings({
    'chunks of MiB': CHUNK_SIZE / MIB,
    'chunks at once': atOnce,
    'MD5 of the chunks': policy === 's3' ? 'on the way, on both sides' : 'on neither side',
    'warm-up MiB': WARM_UP_SIZE / MIB,
    rounds,
  })
  bench.report.table(oneFileRows({ ours, bare, ceiling, size, most: MOST }))
  sayRounds(bench.report, { ours, bare })
}
