import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const twoUsers = {
  users: [
    { username: 'ada', password: 'lovelace-1815' },
    { username: 'bob', password: 'bobs-password' },
  ],
}

const slowDown = (retryAfter: string | undefined) => ({
  kind: 'status' as const,
  status: 429,
  ...(retryAfter !== undefined && { headers: { 'retry-after': retryAfter } }),
})

const parked = async ({ stores }: Service) => eventually(async () => stores.accounts.parked('main'))

test('row 21: a 429 stops the whole account on two workers until its time is over; another account goes on', async () => {
  // One call at a time: what is under way already when the 429 comes is nobody's fault.
  await using service = await openService({ fake: twoUsers, workers: 2, limits: { callsAtOnce: 1 } })
  await service.addAccount({ id: 'bob', credentials: { username: 'bob', password: 'bobs-password' } })
  const warm = await service.upload({ name: 'warm', content: 10 })
  await service.until(warm)
  const fault = service.fake.faults.add({
    operation: 'startFileDataUpload',
    where: { user: 'ada' },
    times: 1,
    action: slowDown('8'),
  })
  const ids: string[] = []
  for (let index = 0; index < 6; index += 1)
    ids.push(await service.upload({ name: `file ${index}`, content: 100 * KIB }))
  await eventually(() => fault.fired === 1)
  const since = Date.now()
  const bobs = await service.upload({ name: 'bobs', content: 10, account: 'bob' })
  expect(await service.until(bobs)).toMatchObject({ state: 'completed' })
  expect(Date.now() - since).toBeLessThan(7500)

  for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  const adas = service.fake.ledger.filter(({ user, operation }) => user === 'ada' && operation !== 'putPart')
  const during = adas.filter(({ time }) => time > since + 100 && time < since + 7900)
  expect(during.map(({ operation }) => operation)).toEqual([])
  // The fake itself complains about any call before the time is over.
  expect(service.fake.violations).toEqual([])
  expect((await service.read(ids[0] ?? '')).waitingFor).toBeUndefined()
})

test.each([
  ['a date', () => new Date(Date.now() + 4000).toUTCString(), 1000, 5000],
  ['zero', () => '0', 300, 1000],
  ['a negative number', () => '-5', 50_000, 91_000],
  ['garbage', () => 'soon', 50_000, 91_000],
  ['nothing at all', () => undefined, 50_000, 91_000],
  ['a huge number', () => '150100', 11.9 * 3_600_000, 12 * 3_600_000],
])('row 21: Retry-After as %s parks the account for a sensible time', async (_, header, least, most) => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'createFile', times: 1, action: slowDown(header()) })
  const id = await service.upload({ name: 'one', content: 10 })
  const { ms, why } = await parked(service)

  expect(ms).toBeGreaterThan(least)
  expect(ms).toBeLessThanOrEqual(most)
  expect(why).toContain('429')
  expect(await service.until(id, ({ waitingFor }) => waitingFor !== undefined)).toMatchObject({
    state: 'preparing',
  })
})

test('row 21: an account parked for hours still sees deadlines, and people who act, within minutes', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'createFile', times: 1, action: slowDown('36000') })
  await service.upload({ name: 'one', content: 10 })
  await parked(service)
  const [job] = await eventually(async () => {
    const jobs = await service.stores.queues.uploads.getDelayed()
    return jobs.length > 0 && jobs
  })
  expect(job?.delay).toBeLessThan(120_000)
})

test('uploads accepted while their account is parked stay queued, and go on after it', async () => {
  await using service = await openService()
  await service.until(await service.upload({ name: 'warm', content: 10 }))
  service.fake.faults.add({ operation: 'createFile', times: 1, action: slowDown('2') })
  const first = await service.upload({ name: 'one', content: 10 })
  await parked(service)
  const second = await service.upload({ name: 'two', content: 10 })
  await sleep(500)
  expect(await service.read(second)).toMatchObject({ state: 'queued' })
  for (const id of [first, second]) expect(await service.until(id)).toMatchObject({ state: 'completed' })
  expect(service.fake.violations).toEqual([])
})

test('row 21: Retry-After of storage parks the account as well, and uses no attempt', async () => {
  await using service = await openService()
  const action = { kind: 'status' as const, status: 503, headers: { 'retry-after': '1' } }
  service.fake.faults.add({ operation: 'putPart', times: 2, action })
  const record = await service.until(await service.upload({ name: 'one', content: 200 * KIB }))
  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
})

test('limits of an account hold over two workers', async () => {
  await using service = await openService({
    workers: 2,
    fake: { maxConcurrentCalls: 1 },
    limits: { callsAtOnce: 1, partsAtOnce: 2 },
  })
  let open = 0
  let most = 0
  service.fake.hooks.onRequest = async ({ operation, phase }) => {
    if (operation !== 'putPart' || phase === 'before-reply') return
    open += phase === 'arrival' ? 1 : -1
    most = Math.max(most, open)
    if (phase === 'arrival') await sleep(30)
  }
  const ids: string[] = []
  for (let index = 0; index < 5; index += 1)
    ids.push(await service.upload({ name: `file ${index}`, content: 300 * KIB }))
  for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed' })

  expect(most).toBe(2)
  expect(service.fake.accountStats('ada').maxInFlight).toBe(1)
  expect(service.fake.violations).toEqual([])
})

test('calls keep their distance over two workers', async () => {
  await using service = await openService({ workers: 2, limits: { callsAtOnce: 1, callSpacingMs: 60 } })
  const ids = [
    await service.upload({ name: 'a', content: 10 }),
    await service.upload({ name: 'b', content: 10 }),
  ]
  for (const id of ids) await service.until(id)
  // Distances are kept where calls are sent; on their way here some ms may go.
  expect(service.fake.accountStats('ada').minGapMs).toBeGreaterThan(35)
})
