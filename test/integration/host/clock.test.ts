import { freePort } from '#shared/redis/free-port.ts'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { startServe, startWorker, sturdy } from './worker.ts'

// Each waits for processes to start, for locks to end and for pauses, one after the other.
vi.setConfig({ testTimeout: 180_000 })

const TEN_MINUTES_MS = 600_000
const TOKEN = 'a-token-for-the-clock-test'
const warning = 'the clocks of Redis and this host differ by 600 s: synchronise them (NTP)'

const shifts = [
  { is: 'ahead', shiftMs: TEN_MINUTES_MS },
  { is: 'behind', shiftMs: -TEN_MINUTES_MS },
]

const shifted = ({ machine }: Service, shiftMs: number) =>
  ({ preload: 'shifted-clock', env: { ...machine.env, TEST_CLOCK_SHIFT_MS: String(shiftMs) } }) as const

test.concurrent.for(shifts)(
  'a worker whose clock is 10 min $is does its uploads by their deadlines and pauses, and warns',
  async ({ shiftMs }) => {
    // One after the other: what is under way when the pause begins is none of this test's business.
    const limits = { callsAtOnce: 1, partsAtOnce: 1 }
    await using service = await openService({ env: sturdy, workers: 0, fake: { processingMs: 1500 }, limits })
    await using worker = await startWorker(shifted(service, shiftMs))
    // The pause is over in a second by the clock that counts, and the deadline long before 10 min.
    service.fake.faults.add({
      operation: 'startFileDataUpload',
      nth: 2,
      action: { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
    })
    const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB, deadlineMs: 120_000 })

    expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
    await worker.untilSaid(warning)
    expect(service.fake.violations).toEqual([])
    worker.signal('SIGTERM')
    expect(await worker.ended).toMatchObject({ code: 0 })
  },
)

test.concurrent('an overdue upload fails at its deadline, though the worker has a clock 10 min behind', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  const { redis, keys } = service.stores
  await redis.set(keys.accountParked('main'), 'for this test', 'PX', TEN_MINUTES_MS)
  await using _worker = await startWorker(shifted(service, -TEN_MINUTES_MS))
  const id = await service.upload({ name: 'a.vrcw', content: 10, deadlineMs: 1000 })
  expect(await service.until(id)).toMatchObject({ state: 'failed', error: { class: 'deadline' } })
})

test.concurrent.for(shifts)(
  'an upload accepted by an API whose clock is 10 min $is completes, and readyz is red and says why',
  async ({ shiftMs }) => {
    await using service = await openService({ env: sturdy })
    const { preload, env } = shifted(service, shiftMs)
    const port = await freePort()
    const own = { STEVEDORE_PORT: String(port), STEVEDORE_TOKEN: TOKEN, STEVEDORE_DEADLINE_MS: '120000' }
    await using _serve = await startServe({ preload, env: { ...env, ...own } })
    const url = `http://127.0.0.1:${port}`
    await service.machine.source('a.vrcw', 300 * KIB)

    const ready = await fetch(`${url}/readyz`)
    const accepted = await fetch(`${url}/v1/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        provider: 'vrchat',
        account: 'main',
        source: `file://${service.machine.folder}/a.vrcw`,
        destination: { name: 'a' },
        partSize: 64 * KIB,
      }),
    })

    expect({ status: ready.status, text: await ready.text() }).toEqual({
      status: 503,
      text: expect.stringContaining(warning),
    })
    const { id } = z.object({ id: z.string() }).parse(await accepted.json())
    expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  },
)

test.concurrent.for(shifts)(
  'what a worker put off whose clock is 10 min $is, and which is gone, runs elsewhere long before that',
  async ({ shiftMs }) => {
    await using service = await openService({ env: sturdy, workers: 0 })
    const { redis, keys, queues } = service.stores
    const leases = keys.accountLeases('main', 'parts')
    service.fake.hooks.onRequest = async ({ operation, phase }) => {
      if (operation !== 'createFileVersion' || phase !== 'before-reply') return
      // All that the account may send at once is being sent by somebody else, it seems.
      for (let taken = 0; taken < 3; taken += 1) {
        await redis.zadd(leases, Date.now() + TEN_MINUTES_MS, `other-${taken}`)
      }
    }
    await using gone = await startWorker(shifted(service, shiftMs))
    const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
    await eventually(async () => (await queues.parts.getDelayed()).length >= 3)
    gone.signal('SIGKILL')
    await gone.ended
    await redis.del(leases)

    await service.startWorker()

    expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
    expect(service.fake.violations).toEqual([])
  },
)
