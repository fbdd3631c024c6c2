import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { NeedsPerson } from '#shared/errors.ts'
import type { Records } from '../../support/records.ts'
import { account, never, openMain, settingsOf } from './stage.ts'

const refused = new NeedsPerson('needs-login', 'refused the password')
const fails = async (): Promise<never> => Promise.reject(refused)

/** A login that fails once `meanwhile` is over; answers how it failed. */
async function loginDuring(records: Records, meanwhile: () => Promise<unknown>): Promise<NeedsPerson> {
  const { login } = records.stores.access.open(await account(records))
  const failed = login.exclusive(never, async () => {
    await meanwhile()
    throw refused
  })
  const error: unknown = await failed.catch((reason: unknown) => reason)
  if (error instanceof NeedsPerson) return error
  throw new Error('It needs nobody', { cause: error })
}

const newSecrets = async (records: Records): Promise<boolean> =>
  records.stores.accounts.update('main', {
    ...settingsOf(await account(records)),
    credentials: { password: 'new' },
  })

test('a login that is refused calls a person', async () => {
  await using records = await openMain()
  const error = await loginDuring(records, async () => undefined)
  await records.stores.accounts.callPerson('main', error)

  expect(error.message).toBe('refused the password')
  expect(await account(records)).toMatchObject({ state: 'needs-login', stateReason: 'refused the password' })
})

test('new secrets are not undone by the login with the old ones, which is refused later', async () => {
  await using records = await openMain()
  const error = await loginDuring(records, async () => newSecrets(records))
  await records.stores.accounts.callPerson('main', error)

  expect((await account(records)).state).toBe('ready')
})

test("a person's own login is not undone by one that began before and is heard of later", async () => {
  await using records = await openMain()
  const { accounts } = records.stores
  const error = await loginDuring(records, async () => undefined)
  await accounts.setState('main', 'ready')
  await accounts.callPerson('main', error)

  expect((await account(records)).state).toBe('ready')
})

test('a refusal of the new secrets themselves calls a person', async () => {
  await using records = await openMain()
  await newSecrets(records)
  const error = await loginDuring(records, async () => undefined)
  await records.stores.accounts.callPerson('main', error)

  expect((await account(records)).state).toBe('needs-login')
})

test('what does not know its login calls a person, but not soon after one acted', async () => {
  await using records = await openMain()
  const { accounts, redis } = records.stores
  await newSecrets(records)
  await accounts.callPerson('main', refused)
  expect((await account(records)).state).toBe('ready')

  await redis.hset(records.keys.account('main'), 'personAt', Date.now() - 130_000)
  await accounts.callPerson('main', refused)
  expect((await account(records)).state).toBe('needs-login')
})

test('the first reason stands, unless a person asked again', async () => {
  await using records = await openMain()
  const { accounts } = records.stores
  const code = new NeedsPerson('needs-2fa', 'a code')
  const { loginSeq: since } = await account(records)
  await accounts.callPerson('main', code, { since, methods: ['emailOtp'] })
  await accounts.callPerson('main', refused, { since })
  expect(await account(records)).toMatchObject({ state: 'needs-2fa', challengeMethods: ['emailOtp'] })

  await accounts.callPerson('main', refused, { since, over: 'any' })
  expect(await account(records)).toMatchObject({ state: 'needs-login', challengeMethods: [] })
})

test('new secrets make the account ready in one go, with a login budget of their own', async () => {
  await using records = await openMain()
  const { accounts, access } = records.stores
  const { login } = access.open(await account(records))
  await login.spend()
  await login.save('{}')
  await expect(login.spend()).rejects.toThrow(NeedsPerson)
  await accounts.callPerson('main', refused)
  await newSecrets(records)

  expect(await account(records)).toMatchObject({ state: 'ready', stateReason: '' })
  await login.spend()
})

test('what else is changed lets nobody forget that a person is needed', async () => {
  await using records = await openMain()
  const { accounts } = records.stores
  const before = await account(records)
  await accounts.callPerson('main', refused)
  await accounts.update('main', settingsOf(before))
  await accounts.saveLogin('main', '{}')

  expect(await account(records)).toMatchObject({ state: 'needs-login', loginSeq: before.loginSeq })
})

test('what an account began says nothing about the next one of its id', async () => {
  await using records = await openMain()
  const error = await loginDuring(records, async () => undefined)
  await records.stores.accounts.remove('main')
  await sleep(5)
  await records.addAccount('main')
  await records.stores.accounts.callPerson('main', error)

  expect((await account(records)).state).toBe('ready')
})

test('a failure that is no case for a person stays what it is', async () => {
  await using records = await openMain()
  const { login } = records.stores.access.open(await account(records))
  const trouble = new Error('socket')

  await expect(login.exclusive(never, async () => Promise.reject(trouble))).rejects.toBe(trouble)
  await expect(login.exclusive(never, fails)).rejects.toMatchObject({ cause: refused, state: 'needs-login' })
})
