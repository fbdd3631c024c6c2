import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createScripts } from '#shared/records/scripts.ts'
import { attemptsUsed, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const failing = { kind: 'status' as const, status: 502 }

test.each([
  'createFileVersion',
  'startFileDataUpload',
  'putPart',
  'finishFileDataUpload',
  'getFile',
] as const)(
  'row 20: a burst of 5xx at %s uses no attempt, and is over when it is over',
  async (operation) => {
    await using service = await openService({ workers: 2 })
    const fault = service.fake.faults.add({ operation, times: 2, action: failing })
    const ids = [
      await service.upload({ name: 'a.vrcw', content: 200 * KIB }),
      await service.upload({ name: 'b.vrcw', content: 200 * KIB }),
    ]
    for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
    expect(fault.fired).toBe(2)
    expect(await attemptsUsed(service)).toBe(0)
    expect(service.fake.openVersions()).toEqual([])
    expect(service.fake.violations).toEqual([])
  },
)

test('rows 16, 20: a storage that does not answer stops parts, not calls, and its pauses grow but stay bounded', async () => {
  await using service = await openService()
  const fault = service.fake.faults.add({ operation: 'putPart', action: 'reset-on-arrival' })
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await service.until(id, ({ waitingFor }) => waitingFor !== undefined)
  await sleep(5000)
  // Three parts at once, each pause about twice the one before: 0.5, 1, 2, 4 s.
  expect(fault.fired).toBeLessThan(20)
  expect(await attemptsUsed(service)).toBe(0)
  expect(await service.read(id)).toMatchObject({ state: 'transferring', waitingFor: expect.anything() })

  service.fake.faults.clear()
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  expect(service.fake.violations).toEqual([])
})

test('row 20: the pause of a circuit doubles up to a minute, whatever comes, and success closes it', async () => {
  await using service = await openService({ workers: 0 })
  const { redis, keys } = service.stores
  const circuit = `${keys.prefix}:account:main:circuit:parts`
  const run = async (outcome: string): Promise<number> => {
    await redis.hdel(circuit, 'until')
    return Number(await settle(service, outcome))
  }
  const pauses: number[] = []
  for (let failure = 0; failure < 30; failure += 1) pauses.push(await run('unreachable'))
  expect(pauses.slice(0, 4)).toEqual([1000, 2000, 4000, 8000])
  expect(Math.max(...pauses)).toBe(60_000)
  await run('ok')
  expect(await redis.exists(circuit)).toBe(0)
})

test('row 20: failures that come together count as one', async () => {
  await using service = await openService({ workers: 0 })
  for (let count = 0; count < 8; count += 1) await settle(service, 'unreachable')
  const { redis, keys } = service.stores
  expect(await redis.hget(`${keys.prefix}:account:main:circuit:parts`, 'failures')).toBe('1')
})

/** The script itself, with the most jitter. */
const settle = async ({ stores }: Service, outcome: string): Promise<unknown> =>
  createScripts(stores.redis, stores.keys)('settle', 'main', 'parts', outcome, 1000, 'a-part')

test('an upload that does not get through before its deadline fails as that, and nothing is left', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'createFile', action: failing })
  const id = await service.upload({ name: 'a.vrcw', content: 10, deadlineMs: 2500 })
  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'failed', error: { class: 'deadline' } })
  expect(service.fake.files).toEqual([])
})

test('a deadline in mid-transfer removes what is there remotely', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'putPart', action: failing })
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB, deadlineMs: 3000 })
  expect(await service.until(id)).toMatchObject({ state: 'failed', error: { class: 'deadline' } })
  expect(service.fake.files).toEqual([])
})

test(
  'cleaning up gives an unreachable provider up after an hour, and says what it had to leave',
  { timeout: 120_000 },
  async () => {
    await using service = await openService()
    const { redis, keys, uploads } = service.stores
    service.fake.faults.add({ operation: 'finishFileDataUpload', action: failing })
    const id = await service.upload({ name: 'a.vrcw', content: 10, deadlineMs: 3000 })
    await service.until(id, ({ state }) => state === 'finishing')
    service.fake.faults.add({ operation: ['getFile', 'deleteFile', 'deleteFileVersion'], action: failing })
    const cleaning = await service.until(id, ({ cleanupSince }) => cleanupSince !== undefined)
    await redis.hset(keys.upload(cleaning.id), 'cleanupSince', Date.now() - 2 * 3_600_000)

    expect(await service.until(id)).toMatchObject({ state: 'failed', error: { class: 'deadline' } })
    expect((await uploads.read(id))?.note).toContain('may be left behind')
  },
)
