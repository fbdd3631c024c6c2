import { expect, test } from 'vitest'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const logins = (service: Service): number => service.requests('login').length

/** As the API does it: the code goes to the provider, and the account may work again. */
async function answerCode({ stores }: Service, code: string): Promise<void> {
  const account = await stores.accounts.read('main')
  if (account === undefined) throw new Error('There is no such account')
  const access = stores.access.open(account, 'login')
  const challenge = { method: 'emailOtp', code }
  const result = await stores
    .providers('vrchat')
    .answerChallenge(access, challenge, AbortSignal.timeout(10_000))
  expect(result.kind).toBe('ok')
  await stores.accounts.setState('main', 'ready')
}

const withEmailCode = {
  users: [
    {
      username: 'ada',
      password: 'lovelace-1815',
      secondFactor: { kind: 'emailOtp' as const, code: '123456' },
    },
  ],
}

async function attemptsOf({ stores }: Service): Promise<number[]> {
  const states = [
    'waiting',
    'active',
    'delayed',
    'prioritized',
    'waiting-children',
    'completed',
    'failed',
  ] as const
  const jobs = [
    ...(await stores.queues.uploads.getJobs([...states])),
    ...(await stores.queues.parts.getJobs([...states])),
  ]
  return jobs.map(({ attemptsMade, finishedOn }) =>
    finishedOn === undefined ? attemptsMade : attemptsMade - 1,
  )
}

test('row 28: sessions that end in the middle of several uploads on two workers lead to exactly one login', async () => {
  await using service = await openService({
    workers: 2,
    fake: { loginSpacingMs: 0, storageBytesPerSecond: 1024 * KIB },
    env: { STEVEDORE_LOGIN_BUDGET_MS: '1' },
  })
  const ids: string[] = []
  for (let index = 0; index < 6; index += 1)
    ids.push(await service.upload({ name: `file ${index}`, content: 400 * KIB }))
  await eventually(() => service.requests('putPart').length > 4)
  expect(logins(service)).toBe(1)
  service.fake.expireSessions()

  for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  expect(logins(service)).toBe(2)
  expect(service.fake.violations).toEqual([])
  expect(await attemptsOf(service)).not.toContain(1)
})

test('many uploads that start without a login log in once', async () => {
  await using service = await openService({ workers: 2 })
  const ids: string[] = []
  for (let index = 0; index < 10; index += 1)
    ids.push(await service.upload({ name: `file ${index}`, content: 10 }))
  for (const id of ids) await service.until(id)
  expect(logins(service)).toBe(1)
  expect(service.fake.violations).toEqual([])
})

test('row 28: an account that needs a code says so; its uploads wait without using attempts, and go on after it', async () => {
  await using service = await openService({ fake: withEmailCode, workers: 2 })
  const ids: string[] = []
  for (let index = 0; index < 3; index += 1)
    ids.push(await service.upload({ name: `file ${index}`, content: 10 }))
  await eventually(async () => (await service.stores.accounts.read('main'))?.state === 'needs-2fa')
  const late = await service.upload({ name: 'late', content: 10 })
  await new Promise((resolve) => void setTimeout(resolve, 1500))

  expect((await service.stores.accounts.read('main'))?.stateReason).toContain('emailOtp')
  expect(await service.read(late)).toMatchObject({ state: 'queued' })
  const waiting = await service.read(ids[0] ?? '')
  expect(waiting).toMatchObject({ state: 'preparing', waitingFor: expect.stringContaining('code') })
  expect(Math.max(...(await attemptsOf(service)))).toBe(0)
  const before = service.fake.ledger.length
  await new Promise((resolve) => void setTimeout(resolve, 1000))
  expect(service.fake.ledger.length).toBe(before)

  await answerCode(service, '123456')
  for (const id of [...ids, late]) expect(await service.until(id)).toMatchObject({ state: 'completed' })
  expect(logins(service)).toBe(1)
  expect((await service.stores.accounts.read('main'))?.state).toBe('ready')
  expect(Math.max(...(await attemptsOf(service)))).toBe(0)
  expect(service.fake.violations).toEqual([])
})

test('other accounts go on while one waits for a person', async () => {
  await using service = await openService({
    fake: { users: [...withEmailCode.users, { username: 'bob', password: 'bobs-password' }] },
  })
  await service.addAccount({ id: 'bob', credentials: { username: 'bob', password: 'bobs-password' } })
  const stuck = await service.upload({ name: 'stuck', content: 10 })
  await eventually(async () => (await service.stores.accounts.read('main'))?.state === 'needs-2fa')
  const fine = await service.upload({ name: 'fine', content: 10, account: 'bob' })
  expect(await service.until(fine)).toMatchObject({ state: 'completed' })
  expect(await service.read(stuck)).toMatchObject({ state: 'preparing' })
})

test('a login that ends again within the budget is left to a person', async () => {
  await using service = await openService({ workers: 2 })
  expect(await service.until(await service.upload({ name: 'one', content: 10 }))).toMatchObject({
    state: 'completed',
  })
  service.fake.expireSessions()
  const id = await service.upload({ name: 'two', content: 10 })
  const account = await eventually(async () => {
    const account = await service.stores.accounts.read('main')
    return account?.state === 'needs-login' && account
  })

  expect(account.stateReason).toContain('by hand')
  expect(logins(service)).toBe(1)
  const record = await service.until(id, ({ waitingFor }) => waitingFor !== undefined)
  expect(record.state).toBe('preparing')
  expect(service.fake.violations).toEqual([])
})

test('a wrong password is tried once, not once an upload', async () => {
  await using service = await openService({
    workers: 2,
    credentials: { username: 'ada', password: 'wrong-password' },
  })
  for (let index = 0; index < 5; index += 1) await service.upload({ name: `file ${index}`, content: 10 })
  await eventually(async () => (await service.stores.accounts.read('main'))?.state === 'needs-login')
  await new Promise((resolve) => void setTimeout(resolve, 1000))
  expect(logins(service)).toBe(1)
  expect((await service.stores.accounts.read('main'))?.stateReason).toContain(
    'refused the user name or password',
  )
  expect(service.fake.violations).toEqual([])
})

test('a restarted worker goes on with the login that there is', async () => {
  await using service = await openService({ workers: 0 })
  const first = await service.startWorker()
  await service.until(await service.upload({ name: 'one', content: 10 }))
  await first[Symbol.asyncDispose]()
  await service.startWorker()
  expect(await service.until(await service.upload({ name: 'two', content: 10 }))).toMatchObject({
    state: 'completed',
  })
  expect(logins(service)).toBe(1)
})

test('a TOTP secret answers the second factor by itself', async () => {
  const secret = 'JBSWY3DPEHPK3PXP'
  await using service = await openService({
    fake: {
      users: [{ username: 'ada', password: 'lovelace-1815', secondFactor: { kind: 'totp', secret } }],
    },
    credentials: { username: 'ada', password: 'lovelace-1815', totpSecret: secret },
  })
  expect(await service.until(await service.upload({ name: 'one', content: 10 }))).toMatchObject({
    state: 'completed',
  })
  expect(logins(service)).toBe(1)
})

test('a person who acted is not overruled by an upload that was told before to wait', async () => {
  await using service = await openService({ fake: withEmailCode, workers: 2 })
  const ids: string[] = []
  for (let index = 0; index < 15; index += 1)
    ids.push(await service.upload({ name: `file ${index}`, content: 10 }))
  await eventually(async () => (await service.stores.accounts.read('main'))?.state === 'needs-2fa')
  await answerCode(service, '123456')
  for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed' })
  expect((await service.stores.accounts.read('main'))?.state).toBe('ready')
})

test.each([503, 'reset-on-arrival'] as const)(
  'a login that met trouble of the other side (%s) is no case for a person',
  async (trouble) => {
    await using service = await openService({ workers: 2, env: { STEVEDORE_LOGIN_BUDGET_MS: '30000' } })
    const action = trouble === 503 ? { kind: 'status' as const, status: trouble } : trouble
    service.fake.faults.add({ operation: 'login', nth: [1, 2], action })
    const ids = [
      await service.upload({ name: 'a', content: 10 }),
      await service.upload({ name: 'b', content: 10 }),
    ]

    for (const id of ids) expect(await service.until(id)).toMatchObject({ state: 'completed' })
    expect((await service.stores.accounts.read('main'))?.state).toBe('ready')
    // Each pause is twice as long as the one before: 1 s, then 2.
    const [first = 0, second = 0, third = 0, ...more] = service.requests('login').map(({ time }) => time)
    expect(more).toEqual([])
    expect(second - first).toBeGreaterThan(900)
    expect(third - second).toBeGreaterThan(1900)
    // The one that worked used the budget up.
    service.fake.expireSessions()
    await service.upload({ name: 'c', content: 10 })
    await eventually(async () => (await service.stores.accounts.read('main'))?.state === 'needs-login')
  },
)
