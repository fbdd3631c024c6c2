import { expect, inject, test } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../support/kill/end-state.ts'
import { KIB, openService, PART_SIZE } from '../support/kill/service.ts'
import { sweep } from '../support/kill/sweep.ts'
import type { Trap } from '../support/kill/sweep.ts'
import { startHost } from '../support/kill/worker-processes.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'

const SIZE = PART_SIZE + KIB
const options = { env: { STEVEDORE_LOGIN_BUDGET_MS: '1000' } }

/** How many commands a worker sends from the acceptance of one upload to its end. */
async function commandsOfOneUpload(): Promise<number> {
  await using service = await openService(options)
  await using proxy = await startRedisProxy(inject('redisUrl'))
  await using worker = startHost()
  await worker.start({ ...service.machine.env, REDIS_URL: proxy.url })
  proxy.reset()
  const sent = await service.upload(SIZE)
  expect(await untilEnded(service, sent, 30_000)).toEqual([])
  const commands = proxy.count()
  expect(await wrongWithCompleted(service, sent, 0)).toEqual([])
  return commands
}

/** Lets no command through any more from the n-th on that follows the acceptance. */
async function lay(n: number): Promise<Trap> {
  const reached = Promise.withResolvers<void>()
  const never = new Promise<void>(() => {})
  const proxy = await startRedisProxy(inject('redisUrl'))
  return {
    redisUrl: proxy.url,
    begin: () =>
      proxy.reset(async (count) => {
        if (count < n) return
        reached.resolve()
        await never
      }),
    reached: reached.promise,
    release: () => {},
    [Symbol.asyncDispose]: async () => proxy[Symbol.asyncDispose](),
  }
}

test(
  'a worker may be killed before any of the Redis commands of an upload, and another one completes it',
  { timeout: 600_000 },
  async () => {
    const commands = await commandsOfOneUpload()
    const points = Array.from({ length: commands }, (_, index) => index + 1)

    const { missed, wrong } = await sweep<number>(points, {
      service: options,
      size: SIZE,
      describe: (n) => `command ${n} of ${commands}`,
      lay,
    })

    expect(wrong).toEqual([])
    // What runs by the clock makes the count of each run a little different.
    expect(missed.length).toBeLessThan(commands / 5)
  },
)
