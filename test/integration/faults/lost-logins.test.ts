import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createVrchat } from '#shared/providers/vrchat/index.ts'
import type { Operation } from '../../fakes/vrchat/server.ts'
import { eventually, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PATIENCE_MS, patiently, steady } from './patience.ts'
import { PART_SIZE, TOTP_SECRET } from './calls.ts'

const SIZE = 3 * PART_SIZE
const env = { ...steady, STEVEDORE_LOGIN_BUDGET_MS: '1' }
const user = { username: 'ada', password: 'lovelace-1815' }
const byMail = { users: [{ ...user, secondFactor: { kind: 'emailOtp' as const, code: '123456' } }] }

/** The session ends, and the second factor is forgotten, the moment that the first of these requests arrives. */
function expireAt({ fake }: Service, wanted: Operation): { readonly times: () => number } {
  let times = 0
  fake.hooks.onRequest = ({ operation, phase }) => {
    if (operation !== wanted || phase !== 'arrival' || times > 0) return
    times += 1
    fake.forgetSecondFactors()
    fake.expireSessions()
  }
  return { times: () => times }
}

async function attemptsOf({ stores }: Service): Promise<number> {
  const states = ['waiting', 'active', 'delayed', 'prioritized', 'waiting-children', 'completed'] as const
  const { uploads, parts } = stores.queues
  const jobs = [...(await uploads.getJobs([...states])), ...(await parts.getJobs([...states]))]
  return jobs.reduce(
    (sum, { attemptsMade, finishedOn }) => sum + attemptsMade - (finishedOn === undefined ? 0 : 1),
    0,
  )
}

async function expectWhole(service: Service, id: string, content: Buffer): Promise<void> {
  const record = await patiently(service, id)
  expect(record).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  const { remoteId = '' } = record.version ?? {}
  const sha256 = createHash('sha256').update(content).digest('hex')
  expect(await service.fake.sha256Of(remoteId, 1, 'file')).toBe(sha256)
  expect(service.fake.files).toHaveLength(1)
  expect(service.fake.violations).toEqual([])
  expect(await attemptsOf(service)).toBe(0)
}

test.concurrent.each([
  'createFile',
  'createFileVersion',
  'startFileDataUpload',
  'putPart',
  'finishFileDataUpload',
  'getFile',
] as const)(
  'row 28: a login that ends when %s arrives is renewed once, second factor and all, and nobody notices',
  { timeout: PATIENCE_MS },
  async (operation) => {
    await using service = await openService({
      fake: { users: [{ ...user, secondFactor: { kind: 'totp', secret: TOTP_SECRET } }], loginSpacingMs: 0 },
      credentials: { ...user, totpSecret: TOTP_SECRET },
      env,
      workers: 2,
    })
    const ended = expireAt(service, operation)
    const content = randomBytes(SIZE)
    await expectWhole(service, await service.upload({ name: 'a.vrcw', content }), content)
    expect(ended.times()).toBe(1)
    expect(service.requests('login', 'verifyTotp').map(({ operation }) => operation)).toEqual([
      'login',
      'verifyTotp',
      'login',
      'verifyTotp',
    ])
  },
)

/** As the API does it. */
async function answerCode({ stores }: Service, code: string): Promise<void> {
  const account = await stores.accounts.read('main')
  if (account === undefined) throw new Error('There is no such account')
  const access = stores.access.open(account, 'login')
  const challenge = { method: 'emailOtp', code }
  await stores.providers('vrchat').answerChallenge(access, challenge, AbortSignal.timeout(30_000))
  await stores.accounts.setState('main', 'ready')
}

const needsCode = ({ stores }: Service): Promise<true> =>
  eventually(async () => (await stores.accounts.read('main'))?.state === 'needs-2fa', PATIENCE_MS / 2)

test.concurrent.each([
  'createFileVersion',
  'startFileDataUpload',
  'finishFileDataUpload',
  'getFile',
] as const)(
  'row 28: a code that is asked for again when %s arrives parks the account without an attempt, till it is there',
  { timeout: PATIENCE_MS },
  async (operation) => {
    await using service = await openService({ fake: { ...byMail, loginSpacingMs: 0 }, env, workers: 2 })
    const content = randomBytes(SIZE)
    const id = await service.upload({ name: 'a.vrcw', content })
    await needsCode(service)
    const ended = expireAt(service, operation)
    await answerCode(service, '123456')
    await eventually(() => ended.times() === 1, PATIENCE_MS / 2)
    await needsCode(service)
    const waiting = await patiently(service, id, ({ waitingFor }) => waitingFor !== undefined)
    expect(waiting.waitingFor).toMatch(/code|needs-2fa/)

    await answerCode(service, '123456')
    await expectWhole(service, id, content)
    expect(service.requests('login')).toHaveLength(2)
  },
)

test.concurrent(
  'row 28: a code that VRChat refuses is tried twice, then a person is asked, and nothing else is sent',
  { timeout: PATIENCE_MS },
  async () => {
    await using provider = createVrchat({ timing: { codeMs: 20 } })
    await using service = await openService({
      providers: [provider],
      fake: { users: [{ ...user, secondFactor: { kind: 'totp', secret: TOTP_SECRET } }] },
      credentials: { ...user, totpSecret: 'KRSXG5CTMVRXEZLU' },
      workers: 2,
    })
    const id = await service.upload({ name: 'a.vrcw', content: SIZE })
    await needsCode(service)
    const record = await patiently(service, id, ({ waitingFor }) => waitingFor !== undefined)

    expect(record).toMatchObject({ state: 'preparing', waitingFor: expect.stringContaining('code') })
    expect(service.fake.ledger.map(({ operation }) => operation)).toEqual([
      'login',
      'verifyTotp',
      'verifyTotp',
    ])
    expect(await attemptsOf(service)).toBe(0)
    expect(service.fake.files).toEqual([])
  },
)
