import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLoginLock } from '#shared/accounts/login-lock.ts'
import { createScripts } from '#shared/records/scripts.ts'
import type { Records } from '../../support/records.ts'
import { eventually, never, openMain } from './stage.ts'

const LOCK_MS = 300

let records: Records
let key: string
let hold: ReturnType<typeof createLoginLock>['holdLoginLock']

beforeEach(async () => {
  records = await openMain()
  const { keys, stores } = records
  key = keys.accountLoginLock('main')
  const run = createScripts(stores.redis, keys)
  hold = createLoginLock({ redis: stores.redis, keys, run, lockMs: LOCK_MS }).holdLoginLock
})

afterEach(async () => records[Symbol.asyncDispose]())

const holder = async () => records.stores.redis.get(key)

test('one login at a time, however long it takes', async () => {
  let under = 0
  let most = 0
  const work = async (): Promise<void> => {
    under += 1
    most = Math.max(most, under)
    await sleep(LOCK_MS * 2)
    under -= 1
  }
  await Promise.all([hold('main', { signal: never, work }), hold('main', { signal: never, work })])

  expect(most).toBe(1)
  expect(await holder()).toBeNull()
})

test('a lock that went to somebody else meanwhile is neither given away nor kept alive', async () => {
  const { redis } = records.stores
  const signal = await hold('main', {
    signal: never,
    work: async (held) => {
      await redis.set(key, 'of the next', 'PX', 60_000)
      await eventually(async () => held.aborted)
      return held
    },
  })

  expect(signal.reason).toMatchObject({ name: 'TryLater' })
  expect(await holder()).toBe('of the next')
  expect(await redis.pttl(key)).toBeGreaterThan(LOCK_MS * 2)
})

test('a lock that went to somebody else right before the end stays theirs', async () => {
  await hold('main', {
    signal: never,
    work: async () => void (await records.stores.redis.set(key, 'of the next', 'PX', 60_000)),
  })

  expect(await holder()).toBe('of the next')
})

test('a lock that expired while Redis was away, and that nobody took, is taken back', async () => {
  const signal = await hold('main', {
    signal: never,
    work: async (held) => {
      await records.stores.redis.del(key)
      await eventually(async () => (await holder()) !== null)
      return held
    },
  })

  expect(signal.aborted).toBe(false)
  expect(await holder()).toBeNull()
})

test('who is stopped while it waits for the lock leaves the holder alone', async () => {
  await records.stores.redis.set(key, 'of another', 'PX', 60_000)
  const waiting = hold('main', { signal: AbortSignal.timeout(50), work: async () => 'never' })

  await expect(waiting).rejects.toThrow(/abort/)
  expect(await holder()).toBe('of another')
})
