import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '#shared/redis/free-port.ts'
import { openClient } from './client.ts'
import type { Client } from './client.ts'
import { connectionsTo } from './connections.ts'
import { formatMs, medianOf, MIB } from './figures.ts'
import { inParallel } from './parallel.ts'
import { goalRow } from './rows.ts'
import type { Scenario } from './scenario.ts'
import { isUnderWay, sendingsOf } from './sendings.ts'
import { makeSparse } from './sources.ts'
import { openStage } from './stage.ts'
import type { Stage } from './stage.ts'

const PART_SIZE = 5 * MIB
// Slow enough that nothing ends by itself.
const BYTES_PER_SECOND = MIB
const PARTS_AT_ONCE = 3
const MOST_MS = 1000
const LOOK_MS = 2

/** How soon what a person no longer wants is over. */
export const cancel: Scenario = {
  name: 'cancel',
  what: 'from POST cancel until the upload is cancelled and its connections are closed',
  run: async (bench) => {
    const runs = bench.quick ? 2 : 10
    const waiting = bench.quick ? 20 : 500
    const storagePort = await freePort()
    const rate = String(BYTES_PER_SECOND)
    await using stage = await openStage(bench, {
      fake: ['--storage-bytes-per-second', rate, '--storage-port', String(storagePort)],
    })
    await stage.startWorker()
    await using client = openClient(stage)
    await client.addAccount({ maxActiveUploads: 1, partsAtOnce: PARTS_AT_ONCE })
    const path = await makeSparse(stage.sources, 'file.bin', 10 * PART_SIZE)
    const accept = async (name: string): Promise<string> => client.upload(path, name, { partSize: PART_SIZE })

    const alone: Latency[] = []
    for (let run = 0; run < runs; run += 1) {
      const id = await accept(`alone ${run}`)
      alone.push(await cancelRunning({ stage, client, storagePort }, id))
    }
    const ids = await inParallel(Array.from({ length: waiting }), 16, async (_, index) =>
      accept(`queued ${index}`),
    )
    const [crowded, queued]: [Latency[], number[]] = [[], []]
    for (let run = 0; run < runs; run += 1) {
      crowded.push(await cancelRunning({ stage, client, storagePort }, await runningOf(stage)))
      queued.push(await cancelAt(stage, client, ids.at(-1 - run) ?? ''))
    }

    bench.report.settings({ runs, 'parts in flight': PARTS_AT_ONCE, 'uploads waiting': `0 and ${waiting}` })
    bench.report.table([
      ...rows(
        'sending: cancelled',
        alone.map(({ cancelled }) => cancelled),
      ),
      ...rows(
        'sending: connections closed',
        alone.map(({ closed }) => closed),
      ),
      ...rows(
        `sending, ${waiting} waiting: cancelled`,
        crowded.map(({ cancelled }) => cancelled),
      ),
      ...rows(
        `sending, ${waiting} waiting: closed`,
        crowded.map(({ closed }) => closed),
      ),
      ...rows('waiting itself: cancelled', queued),
    ])
  },
}

const rows = (what: string, latencies: readonly number[]) => [
  { what: `${what}, median`, ours: formatMs(medianOf(latencies)) },
  goalRow(`${what}, longest`, formatMs, Math.max(...latencies), MOST_MS),
]

interface Place {
  readonly stage: Stage
  readonly client: Client
  readonly storagePort: number
}

/** In ms after the request was sent. */
interface Latency {
  readonly cancelled: number
  readonly closed: number
}

async function cancelRunning({ stage, client, storagePort }: Place, id: string): Promise<Latency> {
  await client.untilState(id, ['transferring'])
  const open = await untilOpen(stage, storagePort)
  const began = performance.now()
  const close = async (): Promise<number> => {
    await untilClosed(stage, storagePort, open)
    return performance.now() - began
  }
  const [cancelled, closed] = await Promise.all([cancelAt(stage, client, id), close()])
  return { cancelled, closed }
}

async function cancelAt({ redis, keys, signal }: Stage, client: Client, id: string): Promise<number> {
  const began = performance.now()
  await client.cancel(id)
  while ((await redis.hget(keys.upload(id), 'state')) !== 'cancelled') {
    await sleep(LOOK_MS, undefined, { signal })
  }
  return performance.now() - began
}

/** The connections of all that is being sent, as soon as no more can be. */
async function untilOpen(stage: Stage, storagePort: number): Promise<readonly number[]> {
  for (; ; await sleep(LOOK_MS, undefined, { signal: stage.signal })) {
    const open = (await sendingsOf(stage)).filter(isUnderWay)
    if (open.length === PARTS_AT_ONCE) return connectionsTo(storagePort)
  }
}

async function untilClosed({ signal }: Stage, storagePort: number, open: readonly number[]): Promise<void> {
  while ((await connectionsTo(storagePort)).some((port) => open.includes(port))) {
    await sleep(LOOK_MS, undefined, { signal })
  }
}

/** The one upload that is sending. */
async function runningOf({ redis, keys, signal }: Stage): Promise<string> {
  for (; ; await sleep(LOOK_MS, undefined, { signal })) {
    const [id] = await redis.zrange(keys.uploadsBy({ state: 'transferring' }), '0', '0')
    if (id !== undefined) return id
  }
}
