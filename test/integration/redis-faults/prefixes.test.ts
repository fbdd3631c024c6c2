import { expect, test } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../../support/kill/end-state.ts'
import { openService, PART_SIZE } from '../../support/kill/service.ts'
import { openAdmin, startLoggedWorker } from '../../support/redis-trouble.ts'
import { startTestRedis } from '../../support/redis.ts'

test(
  'row 48: two services on one Redis with other prefixes know nothing of each other',
  { timeout: 120_000 },
  async () => {
    await using server = await startTestRedis({ aof: true })
    using admin = openAdmin(server)
    // The same account, destination and file names on both; the second has a login of its own at another provider.
    await using one = await openService({ redisUrl: server.url })
    await using two = await openService({ redisUrl: server.url })
    await using _worker = await startLoggedWorker(one.machine)
    const [first, second] = [await one.upload(3 * PART_SIZE), await two.upload(2 * PART_SIZE)]

    expect(await untilEnded(one, first, 60_000)).toEqual([])
    const untouched = await two.machine.stores.uploads.read(second.id)
    await using _other = await startLoggedWorker(two.machine)
    expect(await untilEnded(two, second, 60_000)).toEqual([])

    expect(untouched?.state).toBe('queued')
    expect(await wrongWithCompleted(one, first, 0)).toEqual([])
    expect(await wrongWithCompleted(two, second, 0)).toEqual([])
    const prefixes = [one, two].map(({ machine }) => `${machine.config.prefix}:`)
    const foreign = (await admin.keys('*')).filter(
      (key) => !prefixes.some((prefix) => key.startsWith(prefix)),
    )
    expect(foreign).toEqual([])
  },
)
