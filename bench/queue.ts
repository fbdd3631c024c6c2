import { formatMs, KIB, medianBy } from './figures.ts'
import type { BareResult } from './bare/plan.ts'
import { ratioRow } from './rows.ts'
import type { Scenario } from './scenario.ts'
import { alternate } from './service-run.ts'
import type { Work } from './service-run.ts'
import { makeFiles } from './sources.ts'

const PART_SIZE = 4 * KIB
const PARTS_AT_ONCE = 16

/** Parts so small that nothing is left but the way through the queue. */
export const queue: Scenario = {
  name: 'queue',
  what: '1,000 parts of 4 KiB of one file, against a bare loop of the same requests: what a part costs',
  run: async (bench) => {
    const count = bench.quick ? 100 : 1000
    const work: Work = {
      make: async (folder) => [
        ...(await makeFiles(folder, 'warm-up', { count: 1, size: 50 * PART_SIZE })),
        ...(await makeFiles(folder, 'file', { count: 1, size: count * PART_SIZE })),
      ],
      warmUp: 1,
      uploadsAtOnce: 1,
      partsAtOnce: PARTS_AT_ONCE,
      to: { provider: 'vrchat', partSize: PART_SIZE, minPartSize: 1 },
      hashThreads: 1,
      fake: ['--multipart-threshold', '1', '--min-part-size', '1'],
    }
    const rounds = bench.quick ? 1 : 3
    const { ours, bare } = await alternate(bench, work, rounds)
    bench.report.settings({
      parts: count,
      'bytes of each': PART_SIZE,
      'parts at once': PARTS_AT_ONCE,
      'API calls at once': PARTS_AT_ONCE,
      'ms between calls': 0,
      rounds,
    })
    const each = (figureOf: (result: BareResult) => number) => ({
      ours: medianBy(ours, figureOf) / count,
      bare: medianBy(bare, figureOf) / count,
    })
    const [wall, cpu] = [each(({ wallMs }) => wallMs), each(({ cpuMs }) => cpuMs)]
    bench.report.table([
      ratioRow('wall a part', formatMs, wall),
      ratioRow('CPU a part, serve + worker', formatMs, cpu),
      { what: 'CPU a part, Redis', ours: formatMs(medianBy(ours, ({ redisMs }) => redisMs) / count) },
      { what: 'more wall a part', ours: formatMs(wall.ours - wall.bare) },
      { what: 'more CPU a part, without Redis', ours: formatMs(cpu.ours - cpu.bare) },
    ])
  },
}
