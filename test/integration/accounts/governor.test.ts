import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { AccountParked, Unreachable } from '#shared/errors.ts'
import { createGovernors } from '#shared/governor/governor.ts'
import { createLeases } from '#shared/governor/leases.ts'
import { createTurns } from '#shared/governor/turns.ts'
import { createScripts } from '#shared/records/scripts.ts'
import type { Governor, Limits } from '#shared/providers/provider.ts'
import type { Records } from '../../support/records.ts'
import { account, eventually, never, openMain } from './stage.ts'

async function governed(limits: Partial<Limits> = {}): Promise<{ records: Records; governor: Governor }> {
  const records = await openMain(limits)
  return { records, governor: records.stores.access.open(await account(records)).governor }
}

const leases = async ({ stores, keys }: Records) => stores.redis.zcard(keys.accountLeases('main', 'calls'))

const nothing = async (): Promise<void> => undefined

test('a call that is stopped while it keeps its distance gives its lease back at once', async () => {
  const { records, governor } = await governed({ callsAtOnce: 1, callSpacingMs: 300 })
  await using _records = records
  await governor.call(never, nothing)
  const stop = new AbortController()
  const stopped = governor.call(stop.signal, nothing)
  await eventually(async () => (await leases(records)) === 1)
  stop.abort(new Error('cancelled'))

  await expect(stopped).rejects.toThrow(/abort/)
  await eventually(async () => (await leases(records)) === 0)
  await governor.call(never, nothing)
})

test('a process that never stops calling lets others of the same account in', async () => {
  await using records = await openMain({ callsAtOnce: 1 })
  const { limits } = await account(records)
  const run = createScripts(records.stores.redis, records.keys, 100)
  await using leases = createLeases({ run, leaseMs: 1500 })
  const another = createGovernors({ run, leases, turns: createTurns(), instance: 'another process' })
  const busy = records.stores.governors.calls('main', limits, 'work')
  const enough = new AbortController()
  const callers = Array.from({ length: 4 }, async () => {
    while (!enough.signal.aborted) await busy.call(never, async () => sleep(5))
  })

  const person = another.calls('main', limits, 'login')
  for (let calls = 0; calls < 5; calls += 1) await person.call(never, nothing)
  enough.abort()
  await Promise.all(callers)
})

test('the leases of a process that died expire', async () => {
  const { records, governor } = await governed({ callsAtOnce: 1 })
  await using _records = records
  const { redis } = records.stores
  await redis.zadd(records.keys.accountLeases('main', 'calls'), Date.now() + 500, 'of the dead')
  const since = performance.now()
  await governor.call(never, nothing)

  expect(performance.now() - since).toBeGreaterThan(400)
  await eventually(async () => (await leases(records)) === 0)
})

test.each([
  [Number.POSITIVE_INFINITY, 86_400_000],
  [1e300, 86_400_000],
  [Number.MAX_SAFE_INTEGER, 86_400_000],
  [Number.NaN, 60_000],
])('a pause of %d ms parks the account for a time that Redis knows', async (ms, most) => {
  const { records, governor } = await governed()
  await using _records = records
  const refused = governor.call(never, async () => Promise.reject(new AccountParked('slow down', ms)))

  await expect(refused).rejects.toThrow('slow down')
  const parked = await records.stores.accounts.parked('main')
  expect(parked).toMatchObject({ why: 'slow down' })
  expect(parked?.ms).toBeGreaterThan(most - 5000)
  expect(parked?.ms).toBeLessThanOrEqual(most)
})

test.each([0, -5, 0.2])('a pause of %d ms is over at once', async (ms) => {
  const { records, governor } = await governed()
  await using _records = records
  const refused = governor.call(never, async () => Promise.reject(new AccountParked('slow down', ms)))

  await expect(refused).rejects.toThrow('slow down')
  await sleep(10)
  await governor.call(never, nothing)
})

test('who is told of a pause does not make it longer', async () => {
  const { records, governor } = await governed()
  await using _records = records
  const { stores, keys } = records
  const { limits } = await account(records)
  const part = stores.governors.part({ account: 'main', limits, jobId: 'job' }, never, async () => {
    await stores.redis.set(keys.accountParked('main'), 'slow down', 'PX', 900)
    const told = governor.call(never, nothing)
    await Promise.allSettled([told, sleep(300)])
    return told
  })

  await expect(part).rejects.toThrow(AccountParked)
  expect((await stores.accounts.parked('main'))?.ms ?? 0).toBeLessThan(650)
})

test('the longest of two pauses stands', async () => {
  const { records, governor } = await governed({ callsAtOnce: 2 })
  await using _records = records
  const park = (ms: number, after: number) =>
    governor.call(never, async () => {
      await sleep(after)
      throw new AccountParked(`for ${ms}`, ms)
    })
  await Promise.allSettled([park(60_000, 50), park(10, 150)])

  expect(await records.stores.accounts.parked('main')).toMatchObject({ why: 'for 60000' })
})

test('an open circuit lets one through after its pause, closes on success, and is forgotten by itself', async () => {
  const { records, governor } = await governed()
  await using _records = records
  const { stores, keys } = records
  const circuit = `${keys.account('main')}:circuit:calls`
  const failed = governor.call(never, async () => Promise.reject(new Unreachable('http://x', 'away')))
  await expect(failed).rejects.toThrow('away')
  expect(await stores.redis.pttl(circuit)).toBeGreaterThan(0)

  const since = performance.now()
  await governor.call(never, async () => expect(await stores.redis.pttl(circuit)).toBeGreaterThan(0))

  expect(performance.now() - since).toBeGreaterThan(300)
  await eventually(async () => (await stores.redis.exists(circuit)) === 0)
})
