import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { AccountParked, FatalError, NeedsPerson } from '#shared/errors.ts'
import { createVrchat } from '#shared/providers/vrchat/index.ts'
import { failureOf, memoryLogin, never, shownBy } from './support.ts'
import { openVrchat, type VrchatOpening, type VrchatStage } from './vrchat-stage.ts'

const withStage = async (
  work: (stage: VrchatStage) => Promise<void>,
  opening: VrchatOpening = {},
): Promise<void> => {
  await using stage = await openVrchat(opening)
  await work(stage)
  expect(stage.fake.violations).toEqual([])
}

const password = { username: 'bob', password: 'swordfish' }
const byMail: VrchatOpening = {
  fake: { users: [{ ...password, secondFactor: { kind: 'emailOtp', code: '424242' } }] },
  credentials: { ...password, totpSecret: undefined },
}
const byApp: VrchatOpening = {
  fake: {
    users: [
      {
        ...password,
        secondFactor: { kind: 'totp', secret: 'JBSWY3DPEHPK3PXP' },
        recoveryCodes: ['abcd-1234'],
      },
    ],
  },
  credentials: { ...password, totpSecret: undefined },
}

const countOf = ({ fake }: VrchatStage, wanted: string): number =>
  fake.ledger.filter(({ operation }) => operation === wanted).length
const list = ({ provider, account }: VrchatStage): Promise<unknown> => provider.list(account, {}, never)

describe('codes', () => {
  test('a code by e-mail is asked for once, may be wrong, and opens the account from another process', () =>
    withStage(async (stage) => {
      const { provider, account } = stage
      expect(await provider.login(account, never)).toEqual({ kind: 'challenge', methods: ['emailOtp'] })
      expect(await failureOf(list(stage))).toMatchObject({ name: 'NeedsPerson', state: 'needs-2fa' })
      expect(stage.passwordLogins()).toBe(1)

      await using other = createVrchat()
      const answer = (code: string) => other.answerChallenge(account, { method: 'emailotp', code }, never)
      const wrong = await failureOf(answer('999999'))
      expect(wrong).toBeInstanceOf(FatalError)
      expect(shownBy(wrong)).not.toContain('999999')
      expect(await answer(' 424242 ')).toEqual({ kind: 'ok' })
      expect(await list(stage)).toEqual([])
      expect(stage.passwordLogins()).toBe(1)
    }, byMail))

  test('a wrong code may also come as verified: false', () =>
    withStage(
      async ({ provider, account }) => {
        await provider.login(account, never)
        const answer = provider.answerChallenge(account, { method: 'emailOtp', code: '999999' }, never)
        expect(await failureOf(answer)).toMatchObject({ message: 'VRChat refused the code' })
      },
      { ...byMail, fake: { ...byMail.fake, wrongCodeStatus: 200 } },
    ))

  test('a recovery code opens an account with an authenticator', () =>
    withStage(async (stage) => {
      const { provider, account } = stage
      expect(await provider.login(account, never)).toEqual({ kind: 'challenge', methods: ['totp', 'otp'] })
      const answer = provider.answerChallenge(account, { method: 'otp', code: 'abcd-1234' }, never)
      expect(await answer).toEqual({ kind: 'ok' })
      expect(await list(stage)).toEqual([])
    }, byApp))

  test('a stored secret answers by itself, and once more when its code was refused', () =>
    withStage(async (stage) => {
      stage.fake.faults.add({ operation: 'verifyTotp', times: 1, action: { kind: 'status', status: 400 } })
      expect(await stage.provider.login(stage.account, never)).toEqual({ kind: 'ok' })
      expect([countOf(stage, 'verifyTotp'), stage.passwordLogins()]).toEqual([2, 1])
    }))

  test('a secret that is wrong is tried twice, then a person is asked', () =>
    withStage(
      async (stage) => {
        expect(await failureOf(list(stage))).toMatchObject({ name: 'NeedsPerson', state: 'needs-2fa' })
        expect([countOf(stage, 'verifyTotp'), stage.passwordLogins()]).toEqual([2, 1])
      },
      { credentials: { totpSecret: 'GEZDGNBVGY3TQOJQ' } },
    ))

  test('a half-made login that another process left is gone on with, without another password login', () =>
    withStage(async (stage) => {
      const without = stage.accountWith({ credentials: { totpSecret: undefined } })
      expect(await stage.provider.login(without, never)).toMatchObject({ kind: 'challenge' })
      expect(await list(stage)).toEqual([])
      expect(stage.passwordLogins()).toBe(1)
    }))

  test('without a login that waits, a code is refused clearly', () =>
    withStage(async ({ provider, account }) => {
      const answer = provider.answerChallenge(account, { method: 'totp', code: '123456' }, never)
      expect(await failureOf(answer)).toMatchObject({ class: 'bad-request' })
    }))
})

describe('sessions', () => {
  test('a login that still works is left alone', () =>
    withStage(async (stage) => {
      await list(stage)
      expect(await stage.provider.login(stage.account, never)).toEqual({ kind: 'ok' })
      expect(stage.passwordLogins()).toBe(1)
    }))

  test('a new login keeps the second factor, so no code is asked for again', () =>
    withStage(async (stage) => {
      await list(stage)
      stage.expireLogins()
      await list(stage)
      expect([stage.passwordLogins(), countOf(stage, 'verifyTotp')]).toEqual([2, 1])
    }))

  test('processes that lose the login together log in once', () =>
    withStage(async (stage) => {
      await list(stage)
      stage.expireLogins()
      await using other = createVrchat()
      const reads = [stage.provider, other, stage.provider, other].map((provider) =>
        provider.list(stage.accountWith({}), {}, never),
      )
      await Promise.all(reads)
      expect(stage.passwordLogins()).toBe(2)
    }))

  test('a wrong password asks for a person, once and without repeating it', () =>
    withStage(
      async (stage) => {
        const error = await failureOf(list(stage))
        expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
        expect(shownBy(error)).not.toContain('not-the-one')
        expect(stage.passwordLogins()).toBe(1)
      },
      { credentials: { password: 'not-the-one' } },
    ))

  test('a call that is refused even with a new login does not log in for ever', () =>
    withStage(async (stage) => {
      await list(stage)
      stage.fake.faults.add({ operation: 'getFiles', action: { kind: 'status', status: 401 } })
      expect(await failureOf(list(stage))).toBeInstanceOf(NeedsPerson)
      expect(stage.passwordLogins()).toBe(2)
    }))

  test('an imported cookie needs no password, and a dead one asks for a person', () =>
    withStage(async (stage) => {
      await list(stage)
      const cookies = cookiesIn(stage.login.stored() ?? '')
      const imported = (authCookie: string) =>
        stage.accountWith({
          login: memoryLogin(),
          credentials: { authCookie, username: undefined, password: undefined },
        })
      const text = `auth=${cookies['auth'] ?? ''}; twoFactorAuth=${cookies['twoFactorAuth'] ?? ''}`
      expect(await stage.provider.login(imported(text), never)).toEqual({ kind: 'ok' })
      expect(await stage.provider.list(imported(text), {}, never)).toEqual([])
      const dead = stage.provider.list(imported('authcookie_dead'), {}, never)
      expect(await failureOf(dead)).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
      expect(stage.passwordLogins()).toBe(1)
    }))

  test('the old apiKey cookie goes along when it is set', () =>
    withStage(
      async (stage) => {
        await list(stage)
        const { headers } = stage.fake.ledger.findLast(({ operation }) => operation === 'getFiles') ?? {}
        expect(headers?.cookie).toContain('apiKey=JlE5Jldo5Jibnk5O5hTx6XVqsJu4WJ26')
      },
      { credentials: { apiKey: 'JlE5Jldo5Jibnk5O5hTx6XVqsJu4WJ26' } },
    ))
})

describe('refusals', () => {
  test('too many sessions park the account, as long as the message says', () =>
    withStage(async (stage) => {
      const body = { error: { message: '"Please wait 12 more minutes․"', status_code: 429 } }
      stage.fake.faults.add({ operation: 'login', action: { kind: 'status', status: 429, body } })
      expect(await failureOf(list(stage))).toMatchObject({ name: 'AccountParked', delayMs: 720_000 })
    }))

  test.each([
    ['a firewall’s JSON', { error: { message: 'identify yourself', status_code: 403, waf_code: 13_799 } }],
    ['a firewall’s page', '<html>Access denied</html>'],
  ])('%s parks the account for a while', (_, body) =>
    withStage(async (stage) => {
      stage.fake.faults.add({ operation: 'getFiles', action: { kind: 'status', status: 403, body } })
      const error = await failureOf(list(stage))
      expect(error).toBeInstanceOf(AccountParked)
      expect(error).toMatchObject({ delayMs: 15 * 60_000 })
      expect(countOf(stage, 'getFiles')).toBe(1)
    }),
  )

  test('a 403 for one File is about that File; with a dead login it is about the login', () =>
    withStage(async (stage) => {
      await list(stage)
      const body = { error: { message: 'not yours', status_code: 403 } }
      const action = { kind: 'status', status: 403, body } as const
      stage.fake.faults.add({ operation: 'getFiles', times: 1, action })
      expect(await failureOf(list(stage))).toMatchObject({ name: 'Refusal', status: 403 })

      stage.expireLogins()
      stage.fake.faults.clear()
      stage.fake.faults.add({ operation: 'getFiles', times: 1, action })
      expect(await list(stage)).toEqual([])
      expect(stage.passwordLogins()).toBe(2)
    }))
})

function cookiesIn(stored: string): Record<string, string> {
  const pairs = stored.replaceAll('\\', '').matchAll(/"key":"(\w+)","value":"([^"]+)"/g)
  return Object.fromEntries([...pairs].map(([, key = '', value = '']) => [key, value]))
}

test('a login whose second factor another process has replaced is taken over, not made anew', () =>
  withStage(async (stage) => {
    await list(stage)
    const outdated = withSecondFactor(stage.login.stored() ?? '', 'replaced since')
    const { account } = stage
    await stage.provider.list({ ...account, seen: { ...account.seen, login: () => outdated } }, {}, never)

    expect(stage.passwordLogins()).toBe(1)
  }))

/** A stored login with another value of that cookie. */
function withSecondFactor(login: string, value: string): string {
  const stored = z.looseObject({ jar: z.string() }).parse(JSON.parse(login))
  const jar = z
    .looseObject({ cookies: z.array(z.looseObject({ key: z.string(), value: z.string() })) })
    .parse(JSON.parse(stored.jar))
  const cookies = jar.cookies.map((cookie) =>
    cookie.key === 'twoFactorAuth' ? { ...cookie, value } : cookie,
  )
  return JSON.stringify({ ...stored, jar: JSON.stringify({ ...jar, cookies }) })
}
