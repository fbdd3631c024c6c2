import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { script } from '../../test/support/programs/script.ts'
import { openClient } from '../client.ts'
import { formatMs, GIB, MIB } from '../figures.ts'
import { atMost, ratioRow } from '../rows.ts'
import type { Scenario } from '../scenario.ts'
import { makeSparse } from '../sources.ts'
import { openStage } from '../stage.ts'

const lag = z.object({ p50: z.number(), p99: z.number(), max: z.number(), samples: z.number() })
type Lag = z.infer<typeof lag>

const IDLE_MS = 5000
// Locks are renewed every half of 6 s: an event loop that stands still for longer loses them.
const MOST_MS = 1000

/** Whether hashing and sending leave the worker's event loop alone. */
export const lagScenario: Scenario = {
  name: 'lag',
  what: "how late the worker's event loop is while it hashes, and sends, 4 GiB, against an idle one",
  run: async (bench) => {
    const size = bench.quick ? 256 * MIB : 4 * GIB
    await using stage = await openStage(bench)
    const file = join(stage.scratch, 'lag')
    const preload = ['--import', script('bench/lag/preload.ts')]
    const worker = await stage.startWorker(preload, { BENCH_LAG_FILE: file })
    await using client = openClient(stage)
    await client.addAccount({ partsAtOnce: 3 })
    const path = await makeSparse(stage.sources, 'file.bin', size)
    /** Of the time since it was asked last. */
    const ask = async (count: number): Promise<Lag> => {
      worker.signal('SIGUSR2')
      for (;;) {
        const lines = (await readFile(file, 'utf8').catch(() => '')).trim().split('\n')
        const line = lines[count - 1]
        if (line !== undefined && line !== '') return lag.parse(JSON.parse(line))
        await sleep(10, undefined, { signal: stage.signal })
      }
    }

    await ask(1)
    await sleep(IDLE_MS, undefined, { signal: stage.signal })
    const idle = await ask(2)
    const id = await client.upload(path, 'lag')
    await client.untilState(id, ['transferring'])
    const hashing = await ask(3)
    await client.untilCompleted(1)
    const sending = await ask(4)

    bench.report.settings({ GiB: size / GIB, 'parts at once': 3, 'bare loop': `idle for ${IDLE_MS} ms` })
    const rows = ([what, during]: readonly [string, Lag]) => [
      ratioRow(`p50 while it ${what}`, formatMs, { ours: during.p50, bare: idle.p50 }),
      ratioRow(`p99 while it ${what}`, formatMs, { ours: during.p99, bare: idle.p99 }),
      {
        ...ratioRow(`max while it ${what}`, formatMs, { ours: during.max, bare: idle.max }),
        goal: atMost(formatMs, during.max, MOST_MS),
      },
    ]
    const phases = [
      ['hashes', hashing],
      ['sends', sending],
    ] as const
    bench.report.table(phases.flatMap(rows))
  },
}
