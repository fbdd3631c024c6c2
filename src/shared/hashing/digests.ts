import { MessageChannel, Worker } from 'node:worker_threads'
import type { DigestResults, DigestTask } from './digest.ts'
import type { DigestMessage, OpenDigest } from './digest-thread.ts'
import { type Reply, fromWire } from './wire-error.ts'

/** A digest under way on its own thread. */
export interface RunningDigest<Result> extends Disposable {
  /** Resolves when the bytes in this slot were taken, and the slot may be overwritten. */
  readonly update: (slot: number, length: number) => Promise<unknown>
  readonly end: () => Promise<Result>
}

/** The digest threads of one reading thread, kept from one pass to the next: one for each kind of digest. */
export interface DigestThreads {
  readonly open: <Kind extends keyof DigestResults>(
    task: DigestTask & { readonly kind: Kind },
    chunks: SharedArrayBuffer,
  ) => RunningDigest<DigestResults[Kind]>
}

export const createDigestThreads = (): DigestThreads => {
  const threads = new Map<string, Worker>()
  const threadFor = (kind: string): Worker => {
    const thread = threads.get(kind) ?? startThread()
    threads.set(kind, thread)
    return thread
  }
  return { open: (task, chunks) => openDigest(threadFor(task.kind), task, chunks) }
}

const startThread = (): Worker => {
  const thread = new Worker(new URL('./digest-thread.ts', import.meta.url), { execArgv: [] })
  thread.unref()
  // Uncaught here, it ends the reading thread as well, and with it the pass: whoever waits hears of it.
  thread.on('error', (error) => {
    throw error
  })
  return thread
}

const openDigest = <Result>(
  thread: Worker,
  task: DigestTask,
  chunks: SharedArrayBuffer,
): RunningDigest<Result> => {
  const { port1, port2 } = new MessageChannel()
  const asked: PromiseWithResolvers<Result>[] = []
  port1.on('message', (reply: Reply<Result>) => {
    const question = asked.shift()
    if ('error' in reply) question?.reject(fromWire(reply.error))
    else question?.resolve(reply.result)
  })
  const ask = (message: DigestMessage): Promise<Result> => {
    const question = Promise.withResolvers<Result>()
    // Several may fail, and only the first is waited for.
    question.promise.catch(() => {})
    asked.push(question)
    port1.postMessage(message)
    return question.promise
  }
  thread.postMessage({ task, chunks, port: port2 } satisfies OpenDigest, [port2])
  return {
    update: (slot, length) => ask({ slot, length }),
    end: () => ask('end'),
    [Symbol.dispose]: () => port1.close(),
  }
}
