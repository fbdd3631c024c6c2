import { formatMib, formatSeconds, formatTimes, GIB, MIB } from './figures.ts'
import { openClient } from './client.ts'
import { atMost, goalRow, ratioRow } from './rows.ts'
import type { Bench, Scenario } from './scenario.ts'
import { makeSparse } from './sources.ts'
import { openStage } from './stage.ts'
import { peakMemoryOf } from './usage.ts'

const MOST = 200 * MIB
// What a garbage collector may leave lying around.
const MOST_GROWTH = 1.25

/** That a worker needs no more memory for a larger file. */
export const memory: Scenario = {
  name: 'memory',
  what: 'peak memory of a worker that uploads 8 GiB, against one that uploads 1 GiB',
  run: async (bench) => compare(bench, bench.quick ? [128 * MIB, GIB] : [GIB, 8 * GIB]),
}

export const memory100: Scenario = {
  name: 'memory-100g',
  what: 'the same with 100 GiB',
  slow: true,
  run: async (bench) => compare(bench, bench.quick ? [128 * MIB, GIB] : [GIB, 100 * GIB]),
}

async function compare(bench: Bench, [less, more]: readonly [number, number]): Promise<void> {
  const small = await peakOf(bench, less)
  const large = await peakOf(bench, more)
  bench.report.settings({
    'small MiB': less / MIB,
    'large MiB': more / MIB,
    'parts at once': 3,
    'ms between calls': 0,
    'bare loop': 'the small one',
  })
  bench.report.table([
    {
      ...ratioRow('peak memory', formatMib, { ours: large.peak, bare: small.peak }),
      goal: atMost(formatMib, large.peak, MOST),
    },
    goalRow('larger by', formatTimes, large.peak / small.peak, MOST_GROWTH),
    { what: 'before the upload', ours: formatMib(large.before), bare: formatMib(small.before) },
    { what: 'wall', ours: formatSeconds(large.wallMs), bare: formatSeconds(small.wallMs) },
  ])
}

interface Peak {
  readonly before: number
  readonly peak: number
  readonly wallMs: number
}

/** Of a worker that has done nothing before. */
async function peakOf(bench: Bench, size: number): Promise<Peak> {
  await using stage = await openStage(bench)
  const worker = await stage.startWorker()
  await using client = openClient(stage)
  await client.addAccount({ partsAtOnce: 3 })
  const path = await makeSparse(stage.sources, 'file.bin', size)
  const before = await peakMemoryOf(worker.pid)
  const began = performance.now()
  await client.upload(path, 'large')
  await client.untilCompleted(1)
  return { before, peak: await peakMemoryOf(worker.pid), wallMs: performance.now() - began }
}
