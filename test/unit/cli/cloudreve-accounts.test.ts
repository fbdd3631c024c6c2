import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { PICTURE, startStandIn, TOKEN, type StandIn } from './stand-in.ts'
import { openSession, runHere, runUnattended } from './terminal.ts'

type Env = Readonly<Record<string, string>>

/** Runs where nobody can be asked; without a service, if none is given. */
const run = async (api: StandIn | undefined, argv: readonly string[], env: Env = {}, input = '') =>
  runUnattended(argv, {
    url: api?.url ?? 'http://127.0.0.1:1',
    env: { STEVEDORE_TOKEN: TOKEN, ...env },
    input,
  })

const SITE = 'https://drive.example.org'
const drive = async (): Promise<StandIn> => startStandIn({ accounts: [], drives: ['drive'] })
const both = async (): Promise<StandIn> => startStandIn({ accounts: ['main'], drives: ['drive'] })

describe('an account is added', () => {
  test('with all that a person is asked for, in order, and secrets are not shown', async () => {
    await using api = await startStandIn({ accounts: [] })
    const { io, answer, out, err } = openSession({ STEVEDORE_TOKEN: TOKEN })

    const running = runHere(['account', 'add', 'cloudreve', 'drive', '--url', api.url], io)
    await answer(/Address of the Cloudreve site/, `${SITE}\r`)
    await answer(/E-mail address/, 'ada@example.org\r')
    await answer(/Password/, 'lovelace-1815\r')
    await answer(/TOTP secret/, '\r')

    expect(await running).toBe(0)
    expect(api.asked('POST', /accounts$/)[0]?.body).toEqual({
      id: 'drive',
      provider: 'cloudreve',
      baseUrl: SITE,
      email: 'ada@example.org',
      password: 'lovelace-1815',
    })
    expect(out.text()).toContain('npx stevedore account login drive')
    expect(out.text() + err.text()).not.toMatch(/lovelace/)
    expect(err.text()).not.toMatch(/VRChat|have you read/i)
  })

  test('from environment and flags, with its settings', async () => {
    await using api = await startStandIn({ accounts: [] })
    const env = {
      CLOUDREVE_EMAIL: 'ada@example.org',
      CLOUDREVE_PASSWORD: 'lovelace-1815',
      CLOUDREVE_TOTP_SECRET: 'JBSWY3DPEHPK3PXP',
      CLOUDREVE_PURCHASE_TICKET: 'ticket-1',
      VRCHAT_USERNAME: 'somebody else',
    }
    const settings = ['--on-foreign', 'delete', '--foreign-wait', '2h', '--etag-check', 'opaque']

    const { code } = await run(
      api,
      ['account', 'add', 'cloudreve', 'drive', '--base-url', SITE, ...settings, '--parts-at-once', '2'],
      env,
    )

    expect(code).toBe(0)
    expect(api.asked('POST', /accounts$/)[0]?.body).toEqual({
      id: 'drive',
      provider: 'cloudreve',
      baseUrl: SITE,
      email: 'ada@example.org',
      password: 'lovelace-1815',
      totpSecret: 'JBSWY3DPEHPK3PXP',
      purchaseTicket: 'ticket-1',
      onForeign: 'delete',
      foreignWaitMs: 7_200_000,
      etagCheck: 'opaque',
      limits: { partsAtOnce: 2 },
    })
  })

  test.each([
    ['the environment', ['--refresh-token'], { CLOUDREVE_REFRESH_TOKEN: 'refresh-me' }, ''],
    ['standard input', ['--refresh-token-stdin'], {}, 'refresh-me\n'],
  ])('with a refresh token from %s, and no password', async (_, flags, env: Env, lines) => {
    await using api = await startStandIn({ accounts: [] })
    const argv = ['account', 'add', 'cloudreve', 'drive', '--base-url', SITE, ...flags]

    const { code, out, err } = await run(api, argv, env, lines)

    expect(code).toBe(0)
    expect(api.asked('POST', /accounts$/)[0]?.body).toEqual({
      id: 'drive',
      provider: 'cloudreve',
      baseUrl: SITE,
      refreshToken: 'refresh-me',
    })
    expect(out + err).not.toContain('refresh-me')
  })

  test('with several secrets on standard input, one a line', async () => {
    await using api = await startStandIn({ accounts: [] })
    const flags = ['--password-stdin', '--totp-secret-stdin', '--purchase-ticket-stdin']
    const who = ['--base-url', SITE, '--email', 'ada@example.org']

    const { code } = await run(
      api,
      ['account', 'add', 'cloudreve', 'drive', ...who, ...flags],
      {},
      'pass word\nJBSWY3DPEHPK3PXP\nticket\n',
    )

    expect(code).toBe(0)
    expect(api.asked('POST', /accounts$/)[0]?.body).toMatchObject({
      password: 'pass word',
      totpSecret: 'JBSWY3DPEHPK3PXP',
      purchaseTicket: 'ticket',
    })
  })

  test.each([
    [['--base-url', SITE], {}, '--email is missing, or CLOUDREVE_EMAIL'],
    [[], {}, '--base-url is missing'],
    [['--base-url', SITE, '--email', 'a@b.c'], {}, 'set CLOUDREVE_PASSWORD or use --password-stdin'],
    [['--base-url', SITE, '--refresh-token'], {}, 'set CLOUDREVE_REFRESH_TOKEN or use --refresh-token-stdin'],
    [['--base-url', SITE, '--cookie'], {}, '--cookie is a flag of vrchat, and not of cloudreve'],
    [['--contact', 'a@b.c'], {}, '--contact is a flag of vrchat'],
    [['--acknowledge'], {}, '--acknowledge is a flag of vrchat'],
  ])('not with %j alone', async (flags, env, message) => {
    await using api = await startStandIn({ accounts: [] })

    const { code, err } = await run(api, ['account', 'add', 'cloudreve', 'drive', ...flags], env)

    expect(code).toBe(2)
    expect(err).toContain(message)
    expect(api.asked('POST', /./)).toEqual([])
  })

  test.each([
    [
      ['account', 'add', 'cloudreve', 'd', '--password=hunter2hunter2'],
      /VRCHAT_PASSWORD or CLOUDREVE_PASSWORD/,
    ],
    [['account', 'add', 'cloudreve', 'd', '--purchase-ticket', 'hunter2hunter2'], /--purchase-ticket-stdin/],
    [['account', 'add', 'cloudreve', 'd', '--refresh-token=hunter2hunter2'], /--refresh-token/],
    [['account', 'add', 'cloudreve', 'd', '--refresh-token', 'hunter2hunter2'], /too many/],
    [
      ['account', 'add', 'vrchat', 'd', '--email', 'a@b.c'],
      /--email is a flag of cloudreve, and not of vrchat/,
    ],
  ])('never with a secret on the command line: %j', async (argv, message) => {
    const { code, err } = await run(undefined, argv)

    expect(code).toBe(2)
    expect(err).toMatch(message)
    expect(err).not.toContain('hunter2')
  })
})

describe('an account is logged in', () => {
  test('with the code of the authenticator', async () => {
    await using api = await drive()
    api.code = '123456'

    expect(await run(api, ['account', 'login', 'drive'], { CLOUDREVE_CODE: '123456' })).toMatchObject({
      code: 0,
      out: 'Account drive is logged in\n',
    })
  })

  test('with a refresh token that is handed in first', async () => {
    await using api = await drive()

    const { code } = await run(
      api,
      ['account', 'login', 'drive', '--refresh-token-stdin'],
      {},
      'refresh-me\n',
    )

    expect(code).toBe(0)
    expect(api.requests.map(({ method, body }) => [method, body])).toEqual([
      ['GET', {}],
      ['PATCH', { refreshToken: 'refresh-me' }],
      ['POST', {}],
    ])
  })

  test('not by what belongs to another provider', async () => {
    await using api = await both()

    const cookie = await run(api, ['account', 'login', 'drive', '--cookie-stdin'])
    const token = await run(api, ['account', 'login', 'main', '--refresh-token'])

    expect(cookie).toMatchObject({ code: 2, err: expect.stringContaining('is a flag of vrchat') })
    expect(token).toMatchObject({ code: 2, err: expect.stringContaining('is a flag of cloudreve') })
    expect(api.asked('POST', /./)).toEqual([])
  })

  test('with a captcha as a picture, a new one after a mistake, and then the code', async () => {
    await using api = await drive()
    Object.assign(api, { captcha: 'x7kq', code: '123456' })
    const { io, answer, out, err } = openSession({ STEVEDORE_TOKEN: TOKEN })

    const running = runHere(['account', 'login', 'drive', '--url', api.url], io)
    await answer(/look at (\S+)[^]*What the picture shows/, 'x7kg\r')
    const first = /look at (\S+)/.exec(err.text())?.[1] ?? ''
    await answer(/look at \S+[^]*What the picture shows/, '')
    const second = /refused the code[^]*look at (\S+)/.exec(err.text())?.[1] ?? ''

    expect(second).not.toBe(first)
    expect(readFileSync(second)).toEqual(PICTURE)
    await answer(/^/, 'x7kq\r')
    await answer(/Code of the authenticator/, '123456\r')
    expect(await running).toBe(0)
    expect(out.text()).toBe('Account drive is logged in\n')
    expect([existsSync(first), existsSync(second)]).toEqual([false, false])
    expect(api.asked('POST', /login$/)).toHaveLength(2)
  })

  test('with a captcha in two steps where nobody can be asked', async () => {
    await using api = await drive()
    api.captcha = 'x7kq'

    const asked = await run(api, ['account', 'login', 'drive'])
    const answered = await run(api, ['account', 'login', 'drive'], { CLOUDREVE_CODE: 'x7kq' })

    expect(asked.code).toBe(2)
    expect(asked.err).toContain(`data:image/png;base64,${PICTURE.toString('base64')}`)
    expect(asked.err).toContain('set CLOUDREVE_CODE or use --code-stdin')
    expect(answered).toMatchObject({ code: 0, err: expect.stringContaining('look at data:') })
    expect(api.asked('POST', /login$/)).toHaveLength(1)
  })

  test('a picture is in nobody’s way in the list of accounts', async () => {
    await using api = await drive()
    api.captcha = 'x7kq'
    await run(api, ['account', 'login', 'drive'])

    expect((await run(api, ['account', 'list'])).out).toMatch(/ look at \(a picture\)$/m)
  })
})
