import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Keys } from '#shared/keys.ts'
import { uploadJobId } from '#shared/queues.ts'
import type { Queues } from '#shared/queues.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import { promoteMisdated } from './delays.ts'
import { startLoop } from './loop.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly uploads: Uploads
  readonly queues: Queues
  readonly instance: string
  readonly everyMs: number
  readonly log: Logger
}

const CHANGES_PER_TICK = 500

/**
 * Compares running records with their jobs, on one leader at a time, and gives a job back to an upload that
 * was seen without one, or waiting for parts that are gone, twice with the same rev.
 */
export function startReconcile(deps: Deps): AsyncDisposable {
  const { everyMs, log } = deps
  let suspects = new Map<string, string>()

  return startLoop({ everyMs, log, what: 'reconciling' }, async () => {
    if (!(await lead(deps))) {
      suspects = new Map()
      return
    }
    suspects = await compare(deps, suspects)
    const now = await deps.uploads.now()
    await letMisdatedRun(deps, now)
    await failOverdue(deps, now)
  })
}

/** A leader that died is followed soon: what it left wrong has to be seen twice before it is mended. */
const LEADS_FOR_TICKS = 1.5

async function lead({ redis, keys, instance, everyMs }: Deps): Promise<boolean> {
  const ttl = Math.ceil(everyMs * LEADS_FOR_TICKS)
  const leader = await redis.get(keys.leader)
  if (leader === null) return (await redis.set(keys.leader, instance, 'PX', ttl, 'NX')) !== null
  if (leader !== instance) return false
  // A Redis that is full takes this, and no SET: somebody has to go on leading, and remove what is old.
  await redis.pexpire(keys.leader, ttl)
  return true
}

/** Answers who looks wrong now; mends who looked the same last time. */
async function compare(deps: Deps, before: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const { uploads, log } = deps
  const suspects = new Map<string, string>()
  for (const record of await uploads.readMany(await uploads.running())) {
    const wrong = await whatIsWrong(deps, record)
    if (wrong === undefined) continue
    const seen = `${record.rev} ${record.run} ${wrong}`
    if (before.get(record.id) !== seen) {
      suspects.set(record.id, seen)
      continue
    }
    log.warn({ upload: record.id, state: record.state }, `its job is ${wrong}: gets a new one`)
    await mend(deps, record).catch((error: unknown) => log.warn({ err: error }, 'could not mend; next time'))
  }
  return suspects
}

async function whatIsWrong({ queues }: Deps, record: UploadRecord): Promise<string | undefined> {
  const id = uploadJobId(record.id, record.run)
  const state = await queues.uploads.getJobState(id)
  if (state === 'unknown' || state === 'completed' || state === 'failed') return state
  if (state !== 'waiting-children') return undefined
  const job = await queues.uploads.getJob(id)
  const { unprocessed = [] } = (await job?.getDependencies({ unprocessed: { count: 1000 } })) ?? {}
  if (unprocessed.length === 0) return 'waiting for nobody'
  const lost = await lostAmong(queues, unprocessed)
  return lost.length === 0 ? undefined : `waiting for ${lost.toSorted().join(', ')}, which is gone`
}

/** Ids of parts that are in no list of their queue: nobody will ever run them. */
async function lostAmong({ parts }: Queues, jobKeys: readonly string[]): Promise<string[]> {
  const ids = jobKeys.map((key) => key.slice(parts.toKey('').length))
  const states = await Promise.all(ids.map(async (id) => parts.getJobState(id)))
  return ids.filter((_, index) => states[index] === 'unknown')
}

async function mend({ queues }: Deps, record: UploadRecord): Promise<void> {
  const job = await queues.uploads.getJob(uploadJobId(record.id, record.run))
  await job?.remove({ removeChildren: false })
  await queues.addUploads([record])
}

/** Whatever an upload waits for, it waits no longer than it was given. */
async function failOverdue({ uploads }: Deps, now: number): Promise<void> {
  const overdue = await uploads.overdue(now, CHANGES_PER_TICK)
  await Promise.all(overdue.map((id) => uploads.expire(id)))
}

async function letMisdatedRun({ redis, queues, log }: Deps, now: number): Promise<void> {
  for (const queue of [queues.uploads, queues.parts]) {
    const jobs = await promoteMisdated(redis, queue, now)
    if (jobs.length > 0) log.warn({ jobs }, 'put off by a host whose clock is wrong: run now')
  }
}
