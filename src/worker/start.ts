import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Boot } from '#shared/boot.ts'
import type { Config } from '#shared/config.ts'
import { HostTrouble, NeedsPerson } from '#shared/errors.ts'
import { StillNeedsPerson } from '#shared/governor/acquire.ts'
import { createHasher } from '#shared/hashing/hasher.ts'
import type { Provider } from '#shared/providers/provider.ts'
import { PART_QUEUE, partJob, queuePrefix, UPLOAD_QUEUE, uploadJob, uploadJobId } from '#shared/queues.ts'
import { createFileSources } from '#shared/sources/file.ts'
import { openStores } from '#shared/stores.ts'
import type { Stores } from '#shared/stores.ts'
import { showAlive } from './alive.ts'
import { createContents } from './contents.ts'
import { startDispatch } from './dispatch.ts'
import { drain, inAMoment } from './drain.ts'
import { createPart } from './part.ts'
import { startReconcile } from './reconcile.ts'
import { startRetention } from './retention.ts'
import { runQueue } from './run.ts'
import type { RunningQueue } from './run.ts'
import { createSender } from './send.ts'
import { createStops } from './stops.ts'
import type { Stops } from './stops.ts'
import { startSweep } from './sweep.ts'
import { createOrchestrator } from './upload.ts'
import { watchHost } from './watch-host.ts'
import type { HostWatch } from './watch-host.ts'

interface Options {
  readonly config: Config
  readonly boot: Boot
  readonly log: Logger
  /** Instead of all there are, as they are. */
  readonly providers?: readonly Provider[]
}

/**
 * Wires the worker process. Disposing it begins nothing more from that moment, lets parts under way end within
 * the grace period, and gives the rest back; it does not hang when Redis is away.
 */
export async function startWorker({ config, boot, log, providers }: Options): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack()
  const { redis } = boot
  const stores = resources.use(
    openStores({ redis, config, secrets: boot.secrets, ...(providers && { providers }) }),
  )
  const hasher = resources.use(createHasher({ threads: config.hashThreads, roots: config.sourceRoots }))
  const sources = createFileSources(config.sourceRoots)
  const contents = createContents({ sources, hasher, folder: join(config.dataDir, 'signatures') })
  const stops = createStops({ redis, keys: stores.keys })

  const { reconcileMs: everyMs, retainUploadsMs, retainJobsMs } = config
  const reconcile = resources.use(startReconcile({ ...stores, everyMs, log }))
  const retention = resources.use(startRetention({ ...stores, everyMs, retainUploadsMs, retainJobsMs, log }))
  const dispatch = resources.use(startDispatch({ ...stores, log }))
  const host = resources.use(watchHost({ redis, lockMs: config.lockMs, log }))
  resources.use(showAlive(redis, config.dataDir, host.troubles))
  resources.use(startSweep({ ...stores, contents, log }))
  // Cancels are heard for as long as there is something that can be cancelled.
  resources.use(await listen(redis, { stores, stops, wake: dispatch.wake, log }))
  // Last: nothing fails any more once jobs are taken.
  const deps = {
    ...stores,
    contents,
    sender: createSender({ ...stores, contents, atOnce: config.partsAtOnce }),
    stops,
    log,
  }
  const queues = runQueues({ config, redis, log, host, stores, deps })

  const owned = resources.move()
  const others = [dispatch, reconcile, retention, hasher]
  const end = async (): Promise<void> => {
    const inOrder = await drain({ queues, others, redis, graceMs: config.graceMs, log })
    await (inOrder ? owned.disposeAsync() : inAMoment(owned.disposeAsync()))
  }
  let ending: Promise<void> | undefined
  return { [Symbol.asyncDispose]: async () => (ending ??= end()) }
}

interface Running {
  readonly config: Config
  readonly redis: Redis
  readonly log: Logger
  readonly host: HostWatch
  readonly stores: Stores
  readonly deps: Omit<
    Parameters<typeof createOrchestrator>[0] & Parameters<typeof createPart>[0],
    'maxCrashes'
  >
}

function runQueues({ config, redis, log, host, stores, deps }: Running): RunningQueue[] {
  const { lockMs, stalledMs, maxCrashes } = config
  const prefix = queuePrefix(config.prefix)
  const onPutOff = async ({ upload }: { upload: string }, reason: Error): Promise<void> => {
    await stores.uploads.waitingFor(upload, reason.message)
    if (reason instanceof HostTrouble) host.report(reason)
    // Whoever was only told so must not say it again: a person may have acted meanwhile.
    const isNews = reason instanceof NeedsPerson && !(reason instanceof StillNeedsPerson)
    if (isNews) await callPerson(stores, upload, reason)
  }
  const common = { redis, prefix, lockMs, stalledMs, log, onPutOff }
  return [
    runQueue(createOrchestrator({ ...deps, maxCrashes }), {
      ...common,
      name: UPLOAD_QUEUE,
      concurrency: config.uploadsAtOnce,
      schema: uploadJob,
    }),
    runQueue(createPart({ ...deps, maxCrashes }), {
      ...common,
      name: PART_QUEUE,
      concurrency: config.partsAtOnce,
      schema: partJob,
    }),
  ]
}

/** The account says that it needs a person, until one has acted. */
async function callPerson({ uploads, accounts }: Stores, upload: string, reason: NeedsPerson): Promise<void> {
  const record = await uploads.read(upload)
  if (record !== undefined) await accounts.callPerson(record.account, reason)
}

interface Listening {
  readonly stores: Stores
  readonly stops: Stops
  readonly wake: () => void
  readonly log: Logger
}

/** Hears of new uploads and of cancels. Both are also found without: this only makes them quick. */
async function listen(redis: Redis, { stores, stops, wake, log }: Listening): Promise<AsyncDisposable> {
  const { keys } = stores
  const subscriber = redis.duplicate()
  subscriber.on('error', (error: Error) => log.debug(error.message))
  subscriber.on('message', (channel: string, message: string) => {
    if (channel === keys.wake) return wake()
    const { upload, scope } = stops.heard(message)
    if (scope === 'parts') return
    rouse(stores, upload).catch((error: unknown) => log.warn({ err: error, upload }, 'could not rouse'))
  })
  await subscriber.subscribe(keys.wake, keys.cancel)
  return { [Symbol.asyncDispose]: async () => subscriber.disconnect() }
}

/** Has a cancelled upload's job run now, whatever it waits for. */
async function rouse({ uploads, queues }: Stores, upload: string): Promise<void> {
  const record = await uploads.read(upload)
  // A message that is read late must not stir up the run that came after.
  if (record?.desired !== 'cancel') return
  const job = await queues.uploads.getJob(uploadJobId(upload, record.run))
  await job?.removeUnprocessedChildren()
  if (await job?.isDelayed()) await job?.promote()
}
