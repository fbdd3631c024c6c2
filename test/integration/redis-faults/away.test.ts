import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../../support/kill/end-state.ts'
import { openService, PART_SIZE } from '../../support/kill/service.ts'
import { calmLocks, mostAttempts, startLoggedWorker, untilParts } from '../../support/redis-trouble.ts'
import { startTestRedis } from '../../support/redis.ts'
import type { TestRedis } from '../../support/redis.ts'

const AWAY_MS = 30_000
/** A part takes half a second. */
const slow = { storageBytesPerSecond: 2 * PART_SIZE }

const ways = [
  {
    how: 'stands still',
    begin: async (server: TestRedis) => void process.kill(server.pid(), 'SIGSTOP'),
    end: async (server: TestRedis) => void process.kill(server.pid(), 'SIGCONT'),
  },
  {
    how: 'is killed and not started again',
    begin: async (server: TestRedis) => server.kill(),
    end: async (server: TestRedis) => server.restart(),
  },
]

test.concurrent.for(ways)(
  'rows 5, 11: a Redis that $how for 30 s in mid-transfer costs time and not more than the parts in flight',
  { timeout: 5 * AWAY_MS },
  async ({ begin, end }) => {
    await using server = await startTestRedis({ aof: true })
    await using service = await openService({ redisUrl: server.url, env: calmLocks, fake: slow })
    await using one = await startLoggedWorker(service.machine)
    await using two = await startLoggedWorker(service.machine)
    const sent = await service.upload(8 * PART_SIZE)
    await untilParts(service.machine, sent.id, 2)

    await begin(server)
    await sleep(AWAY_MS)
    const lines = Math.max(one.lines().length, two.lines().length)
    await end(server)

    expect(await untilEnded(service, sent, 90_000)).toEqual([])
    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
    expect(await mostAttempts(service)).toBe(1)
    // Each process says so when it is lost, and every ten seconds for each of its connections at most.
    expect(lines).toBeLessThan(20)
  },
)
