import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'
import { script } from '../../test/support/programs/script.ts'
import { openWorkspace } from '../../test/support/programs/workspace.ts'
import { formatRate, formatRatio, formatSeconds, GIB, medianBy, MIB } from '../figures.ts'
import { ratioRow } from '../rows.ts'
import type { Bench, Scenario } from '../scenario.ts'
import { makeSparse } from '../sources.ts'

const result = z.object({ wallMs: z.number(), cpuMs: z.number() })

const ROUNDS = 3

/** What one pass over a source costs. */
export const hashing: Scenario = {
  name: 'hashing',
  what: 'one pass for MD5, MD5 of parts and rsync signature, against MD5 alone',
  run: async (bench) => {
    const size = bench.quick ? 128 * MIB : 2 * GIB
    await using workspace = await openWorkspace({ program: 'bench', bytes: size / 10, smaller: '--quick' })
    const warmUp = await makeSparse(workspace.sources, 'warm-up', 32 * MIB)
    const path = await makeSparse(workspace.sources, 'source', size)
    const once = async (kind: 'pass' | 'md5') => hashOnce(bench, [kind, warmUp, path, workspace.arrived])
    const [ours, md5]: [Result[], Result[]] = [[], []]
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(await once('pass'))
      md5.push(await once('md5'))
    }

    bench.report.settings({ MiB: size / MIB, 'parts of MiB': 16, rounds: ROUNDS, 'bare loop': 'MD5 alone' })
    const each = (figureOf: (result: Result) => number) => ({
      ours: medianBy(ours, figureOf),
      bare: medianBy(md5, figureOf),
    })
    const [wall, cpu] = [each(({ wallMs }) => wallMs), each(({ cpuMs }) => cpuMs)]
    const perGib = (ms: number): string => formatSeconds((ms / size) * GIB)
    bench.report.table([
      {
        what: 'speed',
        ours: formatRate(size, wall.ours),
        bare: formatRate(size, wall.bare),
        ratio: formatRatio(wall.bare, wall.ours),
      },
      ratioRow('wall a GiB', perGib, wall),
      ratioRow('CPU a GiB, all threads', perGib, cpu),
    ])
  },
}

type Result = z.infer<typeof result>

async function hashOnce({ signal }: Bench, args: readonly string[]): Promise<Result> {
  const argv = [script('bench/hashing/main.ts'), ...args]
  const { stdout } = await promisify(execFile)(process.execPath, argv, { signal })
  return result.parse(JSON.parse(stdout))
}
