import { queuePrefix, UPLOAD_QUEUE } from '#shared/queues.ts'
import { runBare } from './bare/run.ts'
import type { BareResult } from './bare/plan.ts'
import { openClient } from './client.ts'
import type { Client } from './client.ts'
import { inParallel } from './parallel.ts'
import type { Bench } from './scenario.ts'
import { openStage } from './stage.ts'
import type { Stage, StageOptions } from './stage.ts'
import { addAccount, planTo, upload } from './target.ts'
import type { Target } from './target.ts'
import { peakMemoryOf, startMeter } from './usage.ts'

/** The same work for the service and for the bare loop. Sizes in bytes. */
export interface Work {
  /** Makes what is sent, in this folder; answers the paths. */
  readonly make: (folder: string) => Promise<readonly string[]>
  /** How many of them go first, before anything is measured. */
  readonly warmUp: number
  readonly uploadsAtOnce: number
  readonly partsAtOnce: number
  readonly to: Target
  readonly hashThreads: number
  readonly fake?: readonly string[]
}

export interface ServiceResult extends BareResult {
  readonly redisMs: number
  readonly fakeMs: number
  /** Commands that Redis ran, of all kinds, scripts' own included. */
  readonly commands: ReadonlyMap<string, number>
  /** How often an upload's own job ran, on average. */
  readonly runs: number
}

// How many requests the client has under way.
const POSTS_AT_ONCE = 16

/** Sends everything through serve, Redis and one worker, on a stage of its own. */
export async function measureService(bench: Bench, work: Work): Promise<ServiceResult> {
  await using stage = await openStage(bench, stageOptionsOf(work))
  const worker = await stage.startWorker()
  await using client = openClient(stage)
  const limits = {
    maxActiveUploads: work.uploadsAtOnce,
    partsAtOnce: work.uploadsAtOnce * work.partsAtOnce,
    callsAtOnce: work.uploadsAtOnce * work.partsAtOnce,
  }
  await addAccount(client, work.to, limits)
  const paths = await work.make(stage.sources)
  await send(client, paths.slice(0, work.warmUp), work.to)
  await client.untilCompleted(work.warmUp)

  const commandsBefore = await commandsOf(stage)
  const stop = await startMeter({
    ours: [stage.serve.pid, worker.pid],
    redis: [stage.redisPid],
    fake: [stage.fake.pid],
  })
  await send(client, paths.slice(work.warmUp), work.to)
  await client.untilCompleted(paths.length)
  const { wallMs, cpuMs } = await stop()
  const commands = [...(await commandsOf(stage))].map(
    ([name, calls]) => [name, calls - (commandsBefore.get(name) ?? 0)] as const,
  )
  return {
    wallMs,
    cpuMs: cpuMs['ours'] ?? 0,
    redisMs: cpuMs['redis'] ?? 0,
    fakeMs: cpuMs['fake'] ?? 0,
    peakBytes: await peakMemoryOf(worker.pid),
    commands: new Map(commands.filter(([, calls]) => calls > 0)),
    runs: await runsOf(stage),
  }
}

/** The same files in a bare loop, with a fake of its own as well. Without hashing: what the fake can take. */
export async function measureBare(
  bench: Bench,
  work: Work,
  hashing: 'all' | 'none' = 'all',
): Promise<BareResult> {
  // With a service that has nothing to do: both sides share the machine with the same processes.
  await using stage = await openStage({ ...bench, profileDir: undefined }, stageOptionsOf(work))
  const paths = await work.make(stage.sources)
  const { warmUp, uploadsAtOnce, partsAtOnce, hashThreads } = work
  const plan = {
    ...planTo(work.to, stage.fake.ready, hashThreads),
    warmUp: paths.slice(0, warmUp),
    files: paths.slice(warmUp),
    uploadsAtOnce,
    partsAtOnce,
    hashing,
    scratch: stage.scratch,
  }
  return await runBare(plan, stage.signal)
}

/** One after the other, so that whatever else happens to the machine happens to both. */
export async function alternate(
  bench: Bench,
  work: Work,
  rounds: number,
): Promise<{ readonly ours: readonly ServiceResult[]; readonly bare: readonly BareResult[] }> {
  const ours: ServiceResult[] = []
  const bare: BareResult[] = []
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await measureService(bench, work))
    bare.push(await measureBare(bench, work))
  }
  return { ours, bare }
}

const stageOptionsOf = ({ fake = [], hashThreads }: Work): StageOptions => ({
  fake,
  env: { STEVEDORE_HASH_THREADS: String(hashThreads) },
})

async function send(client: Client, paths: readonly string[], to: Target): Promise<void> {
  await inParallel(paths, POSTS_AT_ONCE, async (path) => upload(client, to, path))
}

async function commandsOf({ redis }: Stage): Promise<ReadonlyMap<string, number>> {
  const info = await redis.info('commandstats')
  return new Map(
    [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]),
  )
}

/** BullMQ counts in each job how often it was begun. */
async function runsOf({ redis, keys }: Stage): Promise<number> {
  const queue = `${queuePrefix(keys.prefix)}:${UPLOAD_QUEUE}`
  const jobs = await redis.zrange(`${queue}:completed`, '0', '-1')
  const runs = await Promise.all(jobs.map(async (job) => redis.hget(`${queue}:${job}`, 'ats')))
  return runs.reduce((sum, count) => sum + Number(count), 0) / jobs.length
}
