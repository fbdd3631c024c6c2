import { basename } from 'node:path'
import { Agent, request } from 'undici'
import { openClient } from './client.ts'
import { formatMs, formatRatio, KIB, quantileOf } from './figures.ts'
import { inParallel } from './parallel.ts'
import { ratioRow } from './rows.ts'
import type { Scenario } from './scenario.ts'
import { makeFiles } from './sources.ts'
import { openStage } from './stage.ts'
import type { Stage } from './stage.ts'
import { startMeter } from './usage.ts'

const AT_ONCE = 32
const WARM_UP = 300

/** How fast uploads are taken in, with nobody yet working on them. */
export const accept: Scenario = {
  name: 'accept',
  what: 'uploads accepted a second by POST /v1/uploads, 32 at once, against GET /healthz of the same server',
  run: async (bench) => {
    const count = bench.quick ? 300 : 5000
    await using stage = await openStage(bench)
    await using client = openClient(stage)
    await client.addAccount()
    const [path = ''] = await makeFiles(stage.sources, 'file', { count: 1, size: KIB })
    const post = async (name: string): Promise<void> => {
      await client.upload(path, `${basename(path)} ${name}`)
    }
    await using pinger = openPinger(stage)
    await measure(stage, WARM_UP, async (index) => post(`warm-up ${index}`))
    await measure(stage, WARM_UP, pinger.ping)
    const ours = await measure(stage, count, async (index) => post(String(index)))
    const bare = await measure(stage, count, pinger.ping)

    bench.report.settings({
      uploads: count,
      'at once': AT_ONCE,
      'bare loop': 'GET /healthz, same connections',
    })
    const latency = (quantile: number) => ({
      ours: quantileOf(ours.latencies, quantile),
      bare: quantileOf(bare.latencies, quantile),
    })
    const perSecond = ({ wallMs }: Measured): string => `${((count / wallMs) * 1000).toFixed(0)}/s`
    bench.report.table([
      {
        what: 'accepted',
        ours: perSecond(ours),
        bare: perSecond(bare),
        ratio: formatRatio(bare.wallMs, ours.wallMs),
      },
      ratioRow('p50', formatMs, latency(0.5)),
      ratioRow('p99', formatMs, latency(0.99)),
      ratioRow('CPU each, serve', formatMs, { ours: ours.serveMs / count, bare: bare.serveMs / count }),
      { what: 'CPU each, Redis', ours: formatMs(ours.redisMs / count) },
    ])
  },
}

interface Measured {
  readonly wallMs: number
  readonly latencies: readonly number[]
  readonly serveMs: number
  readonly redisMs: number
}

async function measure(
  { serve, redisPid }: Stage,
  count: number,
  ask: (index: number) => Promise<void>,
): Promise<Measured> {
  const stop = await startMeter({ serve: [serve.pid], redis: [redisPid] })
  const indexes = Array.from({ length: count }, (_, index) => index)
  const latencies = await inParallel(indexes, AT_ONCE, async (index) => {
    const began = performance.now()
    await ask(index)
    return performance.now() - began
  })
  const { wallMs, cpuMs } = await stop()
  return { wallMs, latencies, serveMs: cpuMs['serve'] ?? 0, redisMs: cpuMs['redis'] ?? 0 }
}

function openPinger({ serve }: Stage): AsyncDisposable & { readonly ping: () => Promise<void> } {
  const dispatcher = new Agent()
  return {
    ping: async () => {
      const { statusCode, body } = await request(`${serve.ready}/healthz`, { dispatcher })
      await body.dump()
      if (statusCode !== 200) throw new Error(`GET /healthz → ${statusCode}`)
    },
    [Symbol.asyncDispose]: async () => dispatcher.close(),
  }
}
