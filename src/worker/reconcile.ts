import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Keys } from '#shared/keys.ts'
import { uploadJobId } from '#shared/queues.ts'
import type { Queues } from '#shared/queues.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'

interface Deps {
  readonly redis: Redis
  readonly keys: Keys
  readonly uploads: Uploads
  readonly queues: Queues
  readonly instance: string
  readonly everyMs: number
  readonly retainMs: number
  readonly log: Logger
}

const CHANGES_PER_TICK = 500

/**
 * Compares running records with their jobs, on one leader at a time, and gives a job back to an upload that
 * was seen without one twice with the same rev. Also forgets uploads that ended long ago.
 */
export function startReconcile(deps: Deps): AsyncDisposable {
  const { everyMs, log } = deps
  const stop = new AbortController()
  let suspects = new Map<string, string>()

  const tick = async (): Promise<void> => {
    if (!(await lead(deps))) {
      suspects = new Map()
      return
    }
    suspects = await compare(deps, suspects)
    await failOverdue(deps)
    await forgetOld(deps)
  }

  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await tick().catch((error: unknown) => log.warn({ err: error }, 'reconciling failed; trying again'))
      await sleep(everyMs * (0.9 + Math.random() / 5), undefined, { signal: stop.signal }).catch(
        () => undefined,
      )
    }
  }
  const looping = loop()

  return {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      stop.abort()
      await looping
    },
  }
}

/** A leader that died is followed soon: what it left wrong has to be seen twice before it is mended. */
const LEADS_FOR_TICKS = 1.5

async function lead({ redis, keys, instance, everyMs }: Deps): Promise<boolean> {
  const ttl = Math.ceil(everyMs * LEADS_FOR_TICKS)
  if ((await redis.set(keys.leader, instance, 'PX', ttl, 'NX')) !== null) return true
  if ((await redis.get(keys.leader)) !== instance) return false
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
  const { unprocessed = 0 } = (await job?.getDependenciesCount({ unprocessed: true })) ?? {}
  return unprocessed === 0 ? 'waiting for nobody' : undefined
}

async function mend({ queues }: Deps, record: UploadRecord): Promise<void> {
  const job = await queues.uploads.getJob(uploadJobId(record.id, record.run))
  await job?.remove({ removeChildren: false })
  await queues.addUploads([record])
}

/** Whatever an upload waits for, it waits no longer than it was given. */
async function failOverdue({ uploads }: Deps): Promise<void> {
  const overdue = await uploads.overdue(Date.now(), CHANGES_PER_TICK)
  await Promise.all(overdue.map((id) => uploads.expire(id)))
}

async function forgetOld({ uploads, retainMs }: Deps): Promise<void> {
  const old = await uploads.endedBefore(Date.now() - retainMs, CHANGES_PER_TICK)
  await Promise.all(old.map((id) => uploads.remove(id)))
}
