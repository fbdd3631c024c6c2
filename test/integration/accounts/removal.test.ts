import { expect, inject, test } from 'vitest'
import { NeedsPerson } from '#shared/errors.ts'
import type { Records } from '../../support/records.ts'
import { accountBody, itemsOf, openApi } from '../producer/api.ts'
import { account, openMain, settingsOf } from './stage.ts'

/** Without those that BullMQ writes when it likes. */
const ourKeys = async (records: Records): Promise<string[]> =>
  (await records.allKeys()).filter((key) => !key.includes(':queue:'))

const reason = new NeedsPerson('needs-login', 'refused')

test('no late write brings a removed account back', async () => {
  await using records = await openMain()
  const { accounts } = records.stores
  const settings = settingsOf(await account(records))
  await accounts.remove('main')
  const before = await ourKeys(records)

  expect(await accounts.update('main', { ...settings, credentials: { password: 'new' } })).toBe(false)
  expect(await accounts.update('main', settings)).toBe(false)
  await accounts.saveLogin('main', '{}')
  await accounts.setState('main', 'ready')
  await accounts.setState('main', 'needs-login')
  await accounts.callPerson('main', reason)
  await accounts.callPerson('main', reason, { since: 0, over: 'any' })

  expect(await ourKeys(records)).toEqual(before)
  expect(await accounts.read('main')).toBeUndefined()
})

test('changing an account that is removed at the same time answers that it is not there', async () => {
  await using api = await openApi(inject('redisUrl'))
  await api.ask('POST', '/v1/accounts', { body: accountBody() })
  const { accounts } = api.stores
  const read = accounts.credentials
  accounts.credentials = async (id) => {
    await accounts.remove(id)
    return read(id)
  }

  const answer = await api.ask('PATCH', '/v1/accounts/main', { body: { password: 'new' } })

  expect(answer.status).toBe(404)
  expect(await api.stores.redis.exists(api.stores.keys.account('main'))).toBe(0)
})

test.each([
  ['only one field is left of it', { state: 'ready' }],
  ['its limits are cut', { id: 'bad', provider: 'vrchat', limits: '{"max', state: 'ready' }],
])('an account of which %s hinders nobody, and can be removed', async (_, fields) => {
  await using api = await openApi(inject('redisUrl'))
  await api.ask('POST', '/v1/accounts', { body: accountBody() })
  const { redis, keys } = api.stores
  await redis.hset(keys.account('bad'), fields)
  await redis.zadd(keys.accounts, 0, 'bad')

  expect(itemsOf(await api.ask('GET', '/v1/accounts')).map(({ id }) => id)).toEqual(['main'])
  expect((await api.ask('GET', '/v1/accounts/bad')).status).toBe(404)
  expect((await api.ask('DELETE', '/v1/accounts/bad')).status).toBe(204)
  expect((await api.ask('POST', '/v1/accounts', { body: accountBody({ id: 'bad' }) })).status).toBe(201)
})

test('what is left of an account does not take its id', async () => {
  await using records = await openMain()
  const { redis, accounts } = records.stores
  await redis.hset(records.keys.account('bad'), { state: 'needs-login', login: 'of another' })
  await records.addAccount('bad')

  expect(await account(records, 'bad')).toMatchObject({ state: 'ready' })
  expect(await accounts.login('bad')).toBeUndefined()
})

test("an account's names are forgotten with it, however many, and no other's", async () => {
  await using records = await openMain()
  const { redis, accounts } = records.stores
  const { prefix, binding } = records.keys
  const names = Array.from({ length: 2500 }, (_, index) => `main/file ${index}`)
  const others = ['other/file 1', 'main2/file 1']
  await redis.mset(...[...names, ...others].flatMap((name) => [binding(name), '{}']))
  await redis.sadd(`${prefix}:bindings:main`, ...names)
  await redis.sadd(`${prefix}:bindings:other`, 'other/file 1')

  expect(await accounts.remove('main')).toBe(0)

  expect(await ourKeys(records)).toEqual(
    [...others.map((name) => binding(name)), `${prefix}:bindings:other`].toSorted(),
  )
})

test('names stay bound while the account can not be removed', async () => {
  await using records = await openMain()
  const { redis, accounts } = records.stores
  const { prefix, binding } = records.keys
  await redis.set(binding('main/a'), '{}')
  await redis.sadd(`${prefix}:bindings:main`, 'main/a')
  await records.accept()

  expect(await accounts.remove('main')).toBe(1)
  expect(await redis.exists(binding('main/a'), `${prefix}:bindings:main`)).toBe(2)
})
