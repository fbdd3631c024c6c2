import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/**
 * Loaded into the worker before its own code. At each SIGUSR2 it writes how late the event loop was since the
 * last one to the file that is named by BENCH_LAG_FILE, a line of JSON in ms.
 */
const file = process.env['BENCH_LAG_FILE']
if (isMainThread && file !== undefined) {
  const lag = monitorEventLoopDelay({ resolution: 5 })
  lag.enable()
  process.on('SIGUSR2', () => {
    const [p50, p99, max] = [lag.percentile(50), lag.percentile(99), lag.max].map(inMs)
    writeFileSync(file, `${JSON.stringify({ p50, p99, max, samples: lag.count })}\n`, { flag: 'a' })
    lag.reset()
  })
}

function inMs(nanoseconds: number): number {
  return nanoseconds / 1e6
}
