import { Worker } from 'node:worker_threads'
import { codeOf, HostTrouble, messageOf, ProcessStops, systemCodeOf } from '#shared/errors.ts'
import { type Reply, fromWire } from './wire-error.ts'

const THREAD_AGAIN_MS = 5_000

/** A thread takes some twenty MiB: one that has had nothing to do for so long is ended. */
const IDLE_MS = 10_000

/** Threads that each do one job at a time. Disposing it stops them all; what they did fails with `ProcessStops`. */
export interface Pool<Job, Result> extends AsyncDisposable {
  /**
   * Runs a job as soon as a thread is free, in order of asking. An abort rejects with the signal's reason at
   * once, and costs the thread if it has begun, as nothing else stops one that waits for a disk. So does a
   * crash, which rejects with what happened; the next job gets a new thread.
   */
  readonly run: (job: Job, signal: AbortSignal) => Promise<Result>
}

type Task<Job, Result> = PromiseWithResolvers<Result> & { readonly job: Job }

/** Where threads come from. `script` gets a job as message and posts one `Reply`. */
interface Options {
  readonly script: URL
  readonly size: number
}

/** Threads start when they are needed, and keep no process alive, nor much memory for long, when they are not. */
export const createPool = <Job, Result>({ script, size }: Options): Pool<Job, Result> => {
  const waiting = new Set<Task<Job, Result>>()
  const busy = new Map<Task<Job, Result>, Lane<Job, Result>>()
  const idle = createIdle<Lane<Job, Result>>()
  let closed = false

  const startNext = (): void => {
    const [task] = waiting
    if (task === undefined || busy.size >= size) return
    waiting.delete(task)
    const lane = idle.take() ?? startLane<Job, Result>(script)
    busy.set(task, lane)
    const free = (): void => {
      busy.delete(task)
      if (!lane.ended()) idle.add(lane)
      startNext()
    }
    void lane.run(task.job).then(task.resolve, task.reject).finally(free)
  }
  const stop = (task: Task<Job, Result>, reason: unknown): void => {
    if (waiting.delete(task)) task.reject(reason)
    else void busy.get(task)?.stop(reason)
  }
  const run = async (job: Job, signal: AbortSignal): Promise<Result> => {
    signal.throwIfAborted()
    if (closed) throw new ProcessStops()
    const task = { job, ...Promise.withResolvers<Result>() }
    waiting.add(task)
    startNext()
    return untilAborted(signal, task.promise, () => stop(task, signal.reason))
  }
  const dispose = async (): Promise<void> => {
    closed = true
    for (const task of waiting) stop(task, new ProcessStops())
    await Promise.all([...busy.values(), ...idle.takeAll()].map((lane) => lane.stop(new ProcessStops())))
  }
  return { run, [Symbol.asyncDispose]: dispose }
}

/** Threads without a job, each ended unless it is taken in time. */
const createIdle = <L extends Pick<Lane<unknown, unknown>, 'stop' | 'ended'>>() => {
  const timers = new Map<L, NodeJS.Timeout>()
  const takeAll = (): L[] => {
    const lanes = [...timers.keys()]
    for (const timer of timers.values()) clearTimeout(timer)
    timers.clear()
    return lanes
  }
  return {
    takeAll,
    add: (lane: L): void => {
      const end = (): void => {
        timers.delete(lane)
        void lane.stop(new ProcessStops())
      }
      timers.set(lane, setTimeout(end, IDLE_MS).unref())
    },
    /** One that lives. */
    take: (): L | undefined => {
      const lane = [...timers.keys()].find(({ ended }) => !ended())
      if (lane === undefined) return undefined
      clearTimeout(timers.get(lane))
      timers.delete(lane)
      return lane
    },
  }
}

const untilAborted = <T>(signal: AbortSignal, work: Promise<T>, onAbort: () => void): Promise<T> => {
  signal.addEventListener('abort', onAbort, { once: true })
  return work.finally(() => signal.removeEventListener('abort', onAbort))
}

/** A thread that found no descriptors to start with is no crash: no job of its is to blame. */
const crashed = (cause: unknown): Error => {
  const isHostTrouble = systemCodeOf(cause) !== '' || codeOf(cause) === 'ERR_WORKER_INIT_FAILED'
  if (!isHostTrouble) return new Error('A hashing thread crashed', { cause })
  const message = `No hashing thread could be started (${messageOf(cause)}): are too many files open?`
  return new HostTrouble(message, THREAD_AGAIN_MS, { cause })
}

interface Lane<Job, Result> {
  readonly run: (job: Job) => Promise<Result>
  /** Ends the thread; its job is rejected for this reason, at once. Resolves when it has ended. */
  readonly stop: (reason: unknown) => Promise<unknown>
  readonly ended: () => boolean
}

const startLane = <Job, Result>(script: URL): Lane<Job, Result> => {
  // Options of the main thread, such as those of `node --eval`, can be wrong for this script.
  const worker = new Worker(script, { execArgv: [] })
  let task = Promise.withResolvers<Result>()
  let ended = false
  const stop = (reason: unknown): Promise<unknown> => {
    ended = true
    task.reject(reason)
    return worker.terminate()
  }
  worker.on('message', (reply: Reply<Result>) => {
    worker.unref()
    if ('error' in reply) task.reject(fromWire(reply.error))
    else task.resolve(reply.result)
  })
  worker.on('error', (cause) => void stop(crashed(cause)))
  worker.on('exit', (code) => void stop(new Error(`A hashing thread ended with code ${code}`)))
  return {
    stop,
    ended: () => ended,
    run: (job) => {
      task = Promise.withResolvers<Result>()
      worker.ref()
      // The empty list of transfers tells the linter that this is no browser window.
      worker.postMessage(job, [])
      return task.promise
    },
  }
}
