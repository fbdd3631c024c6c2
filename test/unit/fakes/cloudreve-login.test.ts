import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { SECRET, chunk, clientOf, create, created, logIn, setup, tokenOf } from './cloudreve-raw.ts'

const ALICE = { email: 'alice@example.org', password: 'pass-word' }

test('a password gives a pair of tokens, whose refresh gives another and leaves the old one good', async () => {
  const fake = await setup()
  const anonymous = clientOf(fake)

  const token = await logIn(fake)
  const again = await anonymous.call('POST', '/session/token/refresh', {
    json: { refresh_token: token.refresh_token },
  })
  const twice = await anonymous.call('POST', '/session/token/refresh', {
    json: { refresh_token: token.refresh_token },
  })

  expect(again).toMatchObject({ status: 200, code: 0, data: { access_expires: expect.any(String) } })
  expect(twice.code).toBe(0)
  expect(fake.accountStats(ALICE.email)).toMatchObject({ logins: 1, signedIn: 1, refreshes: 2 })
  expect(fake.violations).toEqual([])
})

test.each([
  ['a wrong password', { ...ALICE, password: 'wrong-word' }, 40_069],
  ['an unknown address', { ...ALICE, email: 'nobody@example.org' }, 40_069],
  ['a password that is too short', { ...ALICE, password: 'abc' }, 40_001],
])('%s is an error with HTTP 200', async (_, json, code) => {
  const fake = await setup()

  const answer = await clientOf(fake).call('POST', '/session/token', { json })

  expect(answer).toMatchObject({ status: 200, code })
})

test.each([
  ['banned', 40_017],
  ['inactive', 40_018],
] as const)('a user who is %s cannot log in', async (status, code) => {
  const fake = await setup({ users: [{ ...ALICE, status }] })

  expect(await clientOf(fake).call('POST', '/session/token', { json: ALICE })).toMatchObject({ code })
})

test('a captcha is asked for, works once, and its refusals are told apart', async () => {
  const fake = await setup({ captcha: 'tulip' })
  const anonymous = clientOf(fake)
  const ticketOf = async () => Object(Object((await anonymous.call('GET', '/site/captcha')).data)).ticket
  const login = (more: object) => anonymous.call('POST', '/session/token', { json: { ...ALICE, ...more } })

  const config = await anonymous.call('GET', '/site/config/login')
  const missing = await login({})
  const ticket = await ticketOf()
  const wrong = await login({ ticket, captcha: 'rose' })
  const used = await login({ ticket, captcha: 'tulip' })
  const right = await login({ ticket: await ticketOf(), captcha: 'tulip' })

  expect(config.data).toMatchObject({ login_captcha: true })
  expect([missing.code, wrong.code, used.code, right.code]).toEqual([40_026, 40_026, 40_027, 0])
})

test('a second factor is answered 203 with a session, which the right code ends', async () => {
  const fake = await setup({ users: [{ ...ALICE, totpSecret: SECRET }] })
  const anonymous = clientOf(fake)

  const asked = await anonymous.call('POST', '/session/token', { json: ALICE })
  const second = (otp: string) =>
    anonymous.call('POST', '/session/token/2fa', { json: { otp, session_id: asked.data } })
  const wrong = await second('000000')
  const right = await second(new TOTP({ secret: Secret.fromBase32(SECRET) }).generate())

  expect(asked).toMatchObject({ status: 200, code: 203, data: expect.any(String) })
  expect(wrong.code).toBe(40_022)
  expect(await create(clientOf(fake, tokenOf(right).access_token))).toMatchObject({ code: 0 })
})

test('a void token makes an anonymous caller: 401 for the files, 40011 for a chunk', async () => {
  const fake = await setup()
  const token = await logIn(fake)
  const client = clientOf(fake, token.access_token)
  const { session_id } = await created(client)

  fake.expireTokens()
  const anonymous = [
    await create(client, { uri: 'cloudreve://my/b' }),
    await client.call('GET', '/file/info?uri=cloudreve%3A%2F%2Fmy%2Fdir'),
    await chunk(client, session_id, 0, 'x'.repeat(10)),
  ]
  const fresh = await clientOf(fake).call('POST', '/session/token/refresh', {
    json: { refresh_token: token.refresh_token },
  })

  expect(anonymous.map(({ status, code }) => [status, code])).toEqual([
    [200, 401],
    [200, 401],
    [200, 40_011],
  ])
  expect(fresh.code).toBe(0)
  expect(fake.ledger.at(-2)).toMatchObject({ operation: 'sendChunk', user: ALICE.email, code: 40_011 })
})

test('a login that was revoked cannot be refreshed, nor can an access token', async () => {
  const fake = await setup()
  const anonymous = clientOf(fake)
  const first = await logIn(fake)
  const second = await logIn(fake)
  const refresh = async (refresh_token: string) =>
    (await anonymous.call('POST', '/session/token/refresh', { json: { refresh_token } })).code

  await anonymous.call('DELETE', '/session/token', { json: { refresh_token: first.refresh_token } })
  const loggedOut = await refresh(first.refresh_token)
  const wrongType = await refresh(second.access_token)
  const still = await refresh(second.refresh_token)
  fake.revokeLogins()

  expect([loggedOut, wrongType, still]).toEqual([40_020, 40_020, 0])
  expect(await refresh(second.refresh_token)).toBe(40_020)
  expect(await create(clientOf(fake, second.access_token))).toMatchObject({ code: 401 })
})

test('tokens run out by themselves', async () => {
  const fake = await setup({ accessTtlMs: 0, refreshTtlMs: 0 })
  const token = await logIn(fake)

  const { code } = await clientOf(fake).call('POST', '/session/token/refresh', {
    json: { refresh_token: token.refresh_token },
  })

  expect(code).toBe(40_020)
  expect(await create(clientOf(fake, token.access_token))).toMatchObject({ code: 401 })
})

test('logins at once, and more than are allowed, are told', async () => {
  const fake = await setup({ maxLogins: 2 })
  const both = Promise.withResolvers<void>()
  let arrived = 0
  fake.hooks.onRequest = async ({ phase }) => {
    if (phase === 'before-reply' && (arrived += 1) === 2) both.resolve()
    if (phase === 'before-reply') await both.promise
  }

  await Promise.all([logIn(fake), logIn(fake)])
  await logIn(fake)

  expect(fake.violations).toEqual([
    'login: alice@example.org while another login of theirs was under way',
    'login: alice@example.org came 3 times, 2 allowed',
  ])
})

test('ping tells the version', async () => {
  const pro = await setup({ version: '4.17.1', pro: true })

  expect(await clientOf(await setup()).call('GET', '/site/ping')).toMatchObject({ data: '4.18.0' })
  expect(await clientOf(pro).call('GET', '/site/ping')).toMatchObject({ data: '4.17.1-pro' })
})
