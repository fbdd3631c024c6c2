import { setTimeout as sleep } from 'node:timers/promises'
import { openClient } from './client.ts'
import { formatSeconds, KIB, medianOf, MIB } from './figures.ts'
import { goalRow } from './rows.ts'
import type { Scenario } from './scenario.ts'
import { isUnderWay, sendingsOf } from './sendings.ts'
import type { Sending } from './sendings.ts'
import { makeSparse } from './sources.ts'
import { openStage } from './stage.ts'
import type { Stage } from './stage.ts'

const PART_SIZE = 5 * MIB
// Slow enough that every worker has parts in flight when it is killed.
const BYTES_PER_SECOND = 1024 * KIB
const PARTS_AT_ONCE = 3
const MOST_MS = 15_000
const LOOK_MS = 20

/** How long the parts of a dead worker lie. */
export const takeover: Scenario = {
  name: 'takeover',
  what: 'from SIGKILL of the worker that sends until another one sends the same parts, default locks',
  run: async (bench) => {
    const runs = bench.quick ? 1 : 6
    await using stage = await openStage(bench, {
      fake: ['--storage-bytes-per-second', String(BYTES_PER_SECOND)],
    })
    await using client = openClient(stage)
    await client.addAccount({ partsAtOnce: PARTS_AT_ONCE })
    const path = await makeSparse(stage.sources, 'file.bin', 200 * PART_SIZE)
    let worker = await stage.startWorker()
    const id = await client.upload(path, 'takeover', { partSize: PART_SIZE })

    const [first, all]: [number[], number[]] = [[], []]
    for (let run = 0; run < runs; run += 1) {
      // Progress between two crashes: so many in a row would end the upload.
      await untilSentSince(stage, Date.now())
      const next = await stage.startWorker()
      await untilBusy(stage)
      const killedAt = Date.now()
      worker.signal('SIGKILL')
      const delays = await untilSentAgain(stage, killedAt)
      first.push(Math.min(...delays))
      all.push(Math.max(...delays))
      worker = next
    }
    await client.cancel(id)

    bench.report.settings({
      runs,
      'parts in flight': PARTS_AT_ONCE,
      'parts of MiB': PART_SIZE / MIB,
      STEVEDORE_LOCK_MS: 'default',
      STEVEDORE_STALLED_MS: 'default',
    })
    bench.report.table([
      { what: 'first part sent again, median', ours: formatSeconds(medianOf(first)) },
      { what: 'first part sent again, longest', ours: formatSeconds(Math.max(...first)) },
      { what: 'all parts sent again, median', ours: formatSeconds(medianOf(all)) },
      goalRow('all parts sent again, longest', formatSeconds, Math.max(...all), MOST_MS),
    ])
  },
}

async function look<Found>(
  stage: Stage,
  find: (sendings: readonly Sending[]) => Found | undefined,
): Promise<Found> {
  for (; ; await sleep(LOOK_MS, undefined, { signal: stage.signal })) {
    const found = find(await sendingsOf(stage))
    if (found !== undefined) return found
  }
}

const untilSentSince = async (stage: Stage, since: number): Promise<true> =>
  look(
    stage,
    (all) => all.some(({ endedAt, status }) => status === 200 && Number(endedAt) > since) || undefined,
  )

/** All places taken, and nothing about to end. */
const untilBusy = async (stage: Stage): Promise<true> =>
  look(stage, (all) => {
    const underWay = all.filter(isUnderWay)
    const isFresh = underWay.every(({ time }) => Date.now() - time < (PART_SIZE / BYTES_PER_SECOND) * 800)
    return (underWay.length === PARTS_AT_ONCE && isFresh) || undefined
  })

/** When each part that died under way came again, in ms after the kill. */
const untilSentAgain = async (stage: Stage, killedAt: number): Promise<readonly number[]> =>
  look(stage, (all) => {
    const dead = all.filter(
      ({ time, endedAt, status }) => time < killedAt && status === 'none' && Number(endedAt) >= killedAt,
    )
    const again = dead.flatMap(
      (lost) => all.find((other) => other.time > killedAt && isSamePart(lost, other))?.time ?? [],
    )
    const isAll = dead.length > 0 && again.length === dead.length
    return isAll ? again.map((time) => time - killedAt) : undefined
  })

const isSamePart = (one: Sending, other: Sending): boolean =>
  one.fileId === other.fileId && one.partNumber === other.partNumber
