import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually, openService } from '../../support/service.ts'

test(
  '1,000 accepted uploads with a limit of 20 all arrive, and never are more than 20 open',
  { timeout: 180_000 },
  async () => {
    await using service = await openService({
      fake: { processingMs: 0 },
      limits: { maxActiveUploads: 20, callsAtOnce: 16, partsAtOnce: 16 },
      workers: 2,
    })
    const { stores, fake, machine } = service
    const path = await machine.source('tiny.vrca', 40)
    const ids = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) =>
        machine.accept({ path, request: { destination: { name: `file ${index}` } } }),
      ),
    )

    const count = async (state: 'completed' | 'failed'): Promise<number> =>
      (await stores.uploads.list({ state }, { limit: 2000 })).length
    await eventually(async () => (await count('completed')) + (await count('failed')) === 1000, 170_000)
    expect(await count('completed')).toBe(1000)
    expect(fake.maxOpenVersions).toBeLessThanOrEqual(20)
    expect(fake.maxOpenVersions).toBeGreaterThan(5)
    expect(fake.openVersions()).toEqual([])
    expect(fake.files).toHaveLength(1000)
    expect(new Set((await stores.uploads.readMany(ids)).map(({ version }) => version?.remoteId)).size).toBe(
      1000,
    )
    expect(fake.violations).toEqual([])
  },
)

test('a worker sends no more parts at once than it is set to, small or not', async () => {
  await using service = await openService({
    limits: { partsAtOnce: 8, callsAtOnce: 8, maxActiveUploads: 8 },
    env: { STEVEDORE_PARTS_AT_ONCE: '2' },
  })
  let [now, most] = [0, 0]
  service.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'putPart' || phase !== 'arrival') return
    now += 1
    most = Math.max(most, now)
    await sleep(100)
    now -= 1
  }
  const names = Array.from({ length: 8 }, (_, index) => `a${index}.vrca`)
  const ids = await Promise.all(names.map(async (name) => service.upload({ name, content: 100 })))

  for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed' })
  expect(most).toBe(2)
})

test('an account whose parts stand still does not keep the parts of another from being sent', async () => {
  await using service = await openService({
    fake: {
      users: [
        { username: 'ada', password: 'lovelace-1815' },
        { username: 'bob', password: 'bobs-password' },
      ],
    },
    limits: { partsAtOnce: 1 },
    env: { STEVEDORE_PARTS_AT_ONCE: '4' },
  })
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>()
  service.fake.hooks.onRequest = async ({ operation, phase, user }) => {
    if (operation === 'putPart' && phase === 'arrival' && user === 'ada') await gate
  }
  await service.addAccount({ id: 'bob', credentials: { username: 'bob', password: 'bobs-password' } })
  const slow: string[] = []
  for (let index = 0; index < 8; index += 1) {
    slow.push(await service.upload({ name: `slow ${index}`, content: 10 }))
  }
  await eventually(
    async () => (await service.stores.uploads.list({ state: 'transferring' }, { limit: 10 })).length === 8,
  )

  const quick = await service.upload({ name: 'quick', content: 10, account: 'bob' })
  expect(await service.until(quick)).toMatchObject({ state: 'completed' })
  expect(await service.read(slow[0] ?? '')).toMatchObject({ state: 'transferring' })
  openGate()
  for (const id of slow) expect(await service.until(id)).toMatchObject({ state: 'completed' })
})
