import { expect, test } from 'vitest'
import { basic, messageOf, rawClient, setup, signedIn, totpCode } from './raw-client.ts'

test('a login with an authenticator is complete only after the code, with both cookies', async () => {
  const { client } = await setup()

  const asked = await client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })
  const half = await client.call('GET', '/auth')
  const verified = await client.call('POST', '/auth/twofactorauth/totp/verify', {
    body: { code: totpCode() },
  })
  const whole = await client.call('GET', '/auth')
  const user = await client.call('GET', '/auth/user')

  expect(asked).toMatchObject({ status: 200, json: { requiresTwoFactorAuth: ['totp', 'otp'] } })
  expect(half.status).toBe(401)
  expect(messageOf(half).toLowerCase()).toContain('two-factor')
  expect(verified).toMatchObject({ status: 200, json: { verified: true } })
  expect([...client.cookies.keys()]).toEqual(['auth', 'twoFactorAuth'])
  expect(whole).toMatchObject({ status: 200, json: { ok: true, token: client.cookies.get('auth') } })
  expect(user.json).toMatchObject({ username: 'alice' })
})

test('wrong password, wrong code and unencoded credentials are refused', async () => {
  const { client } = await setup()
  const unencoded = `Basic ${Buffer.from('alice:pa:ss %ü').toString('base64')}`

  const password = await client.call('GET', '/auth/user', { headers: basic('alice', 'wrong') })
  const plain = await client.call('GET', '/auth/user', { headers: { authorization: unencoded } })
  const noCookie = await client.call('POST', '/auth/twofactorauth/totp/verify', { body: { code: '1' } })
  await client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })
  const code = await client.call('POST', '/auth/twofactorauth/totp/verify', { body: { code: '000000' } })

  expect([password, plain, noCookie, code].map(({ status }) => status)).toEqual([401, 401, 401, 400])
  expect(messageOf(noCookie)).toBe('"Missing Credentials"')
})

test('a recovery code works once, an e-mail code by its own path, and a wrong one may answer 200', async () => {
  const { client, fake } = await setup({ wrongCodeStatus: 200 })
  fake.addUser({ username: 'bob', password: 'b', secondFactor: { kind: 'emailOtp', code: '4711' } })
  const bob = rawClient(fake)
  const recover = () => client.call('POST', '/auth/twofactorauth/otp/verify', { body: { code: 'abcd-1234' } })
  await client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })

  const first = await recover()
  const second = await recover()
  const asked = await bob.call('GET', '/auth/user', { headers: basic('bob', 'b') })
  const mailed = await bob.call('POST', '/auth/twofactorauth/emailotp/verify', { body: { code: '4711' } })

  expect([first.json, second.json]).toEqual([{ verified: true }, { verified: false }])
  expect(asked.json).toEqual({ requiresTwoFactorAuth: ['emailOtp'] })
  expect(mailed.json).toEqual({ verified: true })
})

test('the kept twoFactorAuth cookie spares the second factor after logout and expiry', async () => {
  const { client, fake } = await signedIn()

  const out = await client.call('PUT', '/logout')
  const again = await client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })
  fake.expireSessions()
  const expired = await client.call('GET', '/auth')
  client.cookies.delete('auth')
  const third = await client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })

  expect(out.json).toEqual({ success: { message: 'Ok!', status_code: 200 } })
  expect(out.headers['set-cookie']).toHaveLength(3)
  expect(again.json).toMatchObject({ username: 'alice' })
  expect(expired.status).toBe(401)
  expect(third.json).toMatchObject({ username: 'alice' })
  expect(fake.violations).toEqual([])
})

test('too many sessions end in 429, and logging in over a good session is noted', async () => {
  const { client, fake } = await setup({ maxSessions: 2 })
  const login = () => client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })

  const answers = [await login(), await login(), await login()]

  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
  expect(fake.violations).toHaveLength(2)
  expect(fake.violations[0]).toContain('alice logged in again')
})

test.each(['', 'node', 'Mozilla/5.0 (X11) a@b.c', 'app/1.0', 'app/1.0 me@example.com'])(
  'a client called "%s" is refused at the edge',
  async (agent) => {
    const { client, fake } = await setup()

    const answer = await client.call('GET', '/auth', { headers: { 'user-agent': agent } })

    expect(answer).toMatchObject({ status: 403, json: { error: { status_code: 403, waf_code: 13799 } } })
    expect(fake.violations).toHaveLength(1)
  },
)
