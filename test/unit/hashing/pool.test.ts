import { expect, onTestFinished, test } from 'vitest'
import { type Pool, createPool } from '#shared/hashing/pool.ts'

interface Job {
  readonly say: string
  readonly wait?: Int32Array
}

const never = new AbortController().signal

const makePool = (size: number): Pool<Job, string> => {
  const pool = createPool<Job, string>({ script: new URL('./pool-thread.ts', import.meta.url), size })
  onTestFinished(() => pool[Symbol.asyncDispose]())
  return pool
}

/** Holds a thread until it is let go. */
const gate = (): { wait: Int32Array; open: () => void } => {
  const wait = new Int32Array(new SharedArrayBuffer(4))
  return {
    wait,
    open: () => {
      Atomics.store(wait, 0, 1)
      Atomics.notify(wait, 0)
    },
  }
}

test('jobs wait for a thread, and get it in the order of asking', async () => {
  const pool = makePool(1)
  const { wait, open } = gate()
  const ended: string[] = []
  const run = async (job: Job): Promise<void> => {
    ended.push(await pool.run(job, never))
  }

  const all = ['first', 'second', 'third'].map((say) => run({ say, wait }))
  expect(ended).toEqual([])
  open()
  await Promise.all(all)

  expect(ended).toEqual(['first', 'second', 'third'])
})

test('as many jobs run at once as there are threads', async () => {
  const pool = makePool(2)
  const { wait, open } = gate()

  const held = pool.run({ say: 'held', wait }, never)
  expect(await pool.run({ say: 'other' }, never)).toBe('other')
  open()

  expect(await held).toBe('held')
})

test('a job that fails keeps its thread, and its kind of error', async () => {
  const pool = makePool(1)

  await expect(pool.run({ say: 'fail' }, never)).rejects.toMatchObject({ name: 'TryLater', delayMs: 7 })
  expect(await pool.run({ say: 'next' }, never)).toBe('next')
})

test.each([
  ['crash', 'A hashing thread crashed'],
  ['exit', 'A hashing thread ended with code 3'],
])('a thread lost by %s fails its own job only, and is replaced', async (say, message) => {
  const pool = makePool(1)

  const [lost, next] = await Promise.allSettled([pool.run({ say }, never), pool.run({ say: 'next' }, never)])

  expect(lost).toMatchObject({ status: 'rejected', reason: { message } })
  expect(next).toEqual({ status: 'fulfilled', value: 'next' })
})

test('an abort ends a job that listens to nobody, and the next one gets a new thread', async () => {
  const pool = makePool(1)
  const { wait } = gate()
  const abort = new AbortController()

  const deaf = pool.run({ say: 'deaf', wait }, abort.signal)
  const next = pool.run({ say: 'next' }, never)
  abort.abort(new Error('enough'))

  await expect(deaf).rejects.toThrow('enough')
  expect(await next).toBe('next')
})

test('an abort takes a waiting job out of the line, and disturbs no other', async () => {
  const pool = makePool(1)
  const { wait, open } = gate()
  const abort = new AbortController()

  const running = pool.run({ say: 'running', wait }, never)
  const waiting = pool.run({ say: 'waiting' }, abort.signal)
  const after = pool.run({ say: 'after' }, never)
  abort.abort(new Error('enough'))

  await expect(waiting).rejects.toThrow('enough')
  open()
  expect(await Promise.all([running, after])).toEqual(['running', 'after'])
  await expect(pool.run({ say: 'late' }, abort.signal)).rejects.toThrow('enough')
})

test('disposing ends what runs and what waits, to be tried again elsewhere', async () => {
  const pool = makePool(1)
  const { wait } = gate()

  const jobs = ['running', 'waiting'].map((say) => pool.run({ say, wait }, never))
  const ended = Promise.allSettled(jobs)
  await pool[Symbol.asyncDispose]()

  const later = { status: 'rejected', reason: { name: 'ProcessStops' } }
  expect(await ended).toMatchObject([later, later])
  await expect(pool.run({ say: 'late' }, never)).rejects.toMatchObject({ name: 'ProcessStops' })
})
