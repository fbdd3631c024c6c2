import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { FatalError, NeedsPerson, Unreachable } from '#shared/errors.ts'
import { capacity, createSession, info, sendChunk } from '#shared/providers/cloudreve/site/api.ts'
import { siteCode } from '#shared/providers/cloudreve/site/codes.ts'
import { codeInstead } from '../fakes/cloudreve/server.ts'
import { ann, openSite, TOTP_SECRET, type Site, type SiteOpening } from './cloudreve-site.ts'
import { failureOf, memoryLogin, never, shownBy } from './support.ts'

const withSite = async (work: (site: Site) => Promise<void>, opening: SiteOpening = {}): Promise<void> => {
  await using site = await openSite(opening)
  await work(site)
  expect(site.fake.violations).toEqual([])
}

const MINUTE = 60_000
const byApp: SiteOpening = { fake: { users: [{ ...ann, totpSecret: TOTP_SECRET }] } }
const withSecret: SiteOpening = { ...byApp, credentials: { totpSecret: TOTP_SECRET } }
const tokensIn = (site: Site): { access: string; refresh: string } =>
  JSON.parse(site.login.stored() ?? '{}').tokens

const imported = async (site: Site): Promise<string> => {
  await capacity(site.apiOf())
  return tokensIn(site).refresh
}

describe('a login by password', () => {
  test('is made with the first call, and kept for the next ones and other processes', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      await Promise.all([capacity(site.apiOf()), capacity(site.apiOf())])
      expect([site.countOf('login'), site.countOf('refresh'), site.countOf('capacity')]).toEqual([1, 0, 3])
    }))

  test('is made once by all who need the first one at the same time', () =>
    withSite(async (site) => {
      await Promise.all(Array.from({ length: 5 }, () => capacity(site.apiOf())))
      expect(site.countOf('login')).toBe(1)
    }))

  test.each([40_069, 40_080] as const)('with a wrong one needs a person, as code %i says', (code) =>
    withSite(
      async (site) => {
        const error = await failureOf(capacity(site.apiOf()))
        expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
        expect(shownBy(error)).toContain('the e-mail address or the password is wrong')
        expect(shownBy(error)).not.toContain('not this one')
      },
      { fake: { badPasswordCode: code }, credentials: { password: 'not this one' } },
    ),
  )

  test.each([
    ['banned', 'the user is banned'],
    ['inactive', 'open the link in the e-mail'],
  ] as const)('of a user who is %s needs a person, who is told so', (status, why) =>
    withSite(
      async (site) => {
        const error = await failureOf(capacity(site.apiOf()))
        expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
        expect(shownBy(error)).toContain(why)
      },
      { fake: { users: [{ ...ann, status }] } },
    ),
  )

  test('is not tried for a user whose refresh says that they are banned', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      site.fake.expireTokens()
      site.fake.faults.add({ operation: 'refresh', action: codeInstead(40_017) })
      expect(shownBy(await failureOf(capacity(site.apiOf())))).toContain('the user is banned')
      expect(site.countOf('login')).toBe(1)
    }))

  test('with an activation that is pending needs a person, who is told so', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'login', action: codeInstead(203) })
      const error = await failureOf(site.provider.login(site.account, never))
      expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
      expect(shownBy(error)).toContain('not activated yet')
    }))

  test('that fails by the site’s trouble calls nobody', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'login', nth: 1, action: codeInstead(-1) })
      site.fake.faults.add({ operation: 'login', nth: 2, action: 'html' })
      expect(siteCode(await failureOf(capacity(site.apiOf())))).toBe(-1)
      expect(await failureOf(capacity(site.apiOf()))).toBeInstanceOf(Unreachable)
      await capacity(site.apiOf())
    }))

  test('keeps to its budget, and asks for a person when that is spent', () =>
    withSite(
      async (site) => {
        await capacity(site.apiOf())
        site.fake.expireTokens()
        site.fake.revokeLogins()
        expect(await failureOf(capacity(site.apiOf()))).toBeInstanceOf(NeedsPerson)
        expect([site.countOf('login'), site.login.spent()]).toEqual([1, 1])
      },
      { budget: 1 },
    ))
})

describe('a login that has ended', () => {
  test('is refreshed once by all who find out, and their calls are sent again', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      site.fake.expireTokens()
      const apis = Array.from({ length: 4 }, () => site.apiOf())
      const before = apis[0]?.tokenId()
      await Promise.all(apis.map(capacity))
      expect([site.countOf('login'), site.countOf('refresh')]).toEqual([1, 1])
      expect(apis[0]?.tokenId()).not.toBe(before)
    }))

  test('that another process has refreshed is taken from there', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      const old = memoryLogin({ saved: site.login.stored() ?? '' })
      site.fake.expireTokens()
      await capacity(site.apiOf())
      const late = { ...site.account, seen: { ...site.account.seen, login: old.stored } }
      await capacity(site.apiOf(late))
      expect(site.countOf('refresh')).toBe(1)
    }))

  test('for good is made anew by password', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      site.fake.expireTokens()
      site.fake.revokeLogins()
      await capacity(site.apiOf())
      expect([site.countOf('login'), site.countOf('refresh')]).toEqual([2, 1])
    }))

  test('is made by password when a refreshed token is refused as well, and then a person is asked', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      site.fake.faults.add({ operation: 'capacity', action: codeInstead(401) })
      const error = await failureOf(capacity(site.apiOf()))
      expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
      expect([site.countOf('refresh'), site.countOf('login'), site.countOf('capacity')]).toEqual([1, 2, 4])
    }))

  test('is renewed before that, as an outdated token would be nobody’s', () => {
    let passed = 0
    const opening = { fake: { accessTtlMs: 40 * MINUTE }, now: () => Date.now() + passed }
    return withSite(async (site) => {
      await capacity(site.apiOf())
      passed = 29 * MINUTE
      await capacity(site.apiOf())
      expect(site.countOf('refresh')).toBe(0)
      passed = 31 * MINUTE
      const api = site.apiOf()
      await Promise.all([capacity(api), capacity(api), capacity(api)])
      expect([site.countOf('refresh'), site.countOf('login')]).toEqual([1, 1])
      expect(site.fake.ledger.every(({ code }) => code !== 401)).toBe(true)
    }, opening)
  })

  test('goes on to its end when the site can not refresh it now', () => {
    let passed = 0
    const opening = { fake: { accessTtlMs: 5 * MINUTE }, now: () => Date.now() + passed }
    return withSite(async (site) => {
      await capacity(site.apiOf())
      site.fake.faults.add({ operation: 'refresh', action: codeInstead(50_001) })
      passed = 4 * MINUTE
      await capacity(site.apiOf())
      expect([site.countOf('refresh'), site.countOf('capacity')]).toEqual([1, 2])
    }, opening)
  })

  test('is no use after its end, whatever the trouble', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      const ended = { v: 1, tokens: { ...tokensIn(site), accessUntil: Date.now() - MINUTE } }
      const account = site.accountWith({}, memoryLogin({ saved: JSON.stringify(ended) }))
      site.fake.faults.add({ operation: 'refresh', action: codeInstead(50_001) })
      expect(siteCode(await failureOf(capacity(site.apiOf(account))))).toBe(50_001)
      expect(site.countOf('capacity')).toBe(1)
    }))

  test('makes a chunk’s session look gone; whoever then looks at the file has a new token', () =>
    withSite(async (site) => {
      const uri = 'cloudreve://my/a.bin'
      const api = site.apiOf()
      const { session_id: sessionId } = await createSession(api, { uri, size: 3 })
      site.fake.expireTokens()
      const before = api.tokenId()
      const body = { length: 3, open: () => Readable.from([Buffer.from('abc')]) }
      const send = (): Promise<void> => sendChunk(api, { sessionId, index: 0, body }, MINUTE)
      expect(siteCode(await failureOf(send()))).toBe(40_011)
      expect(api.tokenId()).toBe(before)
      expect(await info(api, uri)).toMatchObject({ metadata: { 'sys:upload_session_id': sessionId } })
      expect(api.tokenId()).not.toBe(before)
      await send()
      expect((await info(api, uri))?.size).toBe(3)
    }))
})

describe('an imported refresh token', () => {
  test('is enough', () =>
    withSite(async (site) => {
      const refreshToken = await imported(site)
      const alone = site.accountWith({ email: undefined, password: undefined, refreshToken }, memoryLogin())
      await capacity(site.apiOf(alone))
      await capacity(site.apiOf(alone))
      expect([site.countOf('login'), site.countOf('refresh')]).toEqual([1, 1])
    }))

  test('goes before the stored login, and once', () =>
    withSite(async (site) => {
      const refreshToken = await imported(site)
      const account = site.accountWith({ refreshToken })
      expect(await site.provider.login(account, never)).toEqual({ kind: 'ok' })
      expect(await site.provider.login(account, never)).toEqual({ kind: 'ok' })
      const used = site.fake.ledger.filter(({ operation }) => operation === 'refresh')
      expect(used).toHaveLength(2)
      expect([site.countOf('login'), site.login.spent()]).toEqual([1, 1])
    }))

  test('that is dead is not tried twice; without a password a person is asked for another', () =>
    withSite(async (site) => {
      const refreshToken = await imported(site)
      site.fake.revokeLogins()
      const alone = site.accountWith({ email: undefined, password: undefined, refreshToken }, memoryLogin())
      for (const round of [1, 2]) {
        const error = await failureOf(capacity(site.apiOf(alone)))
        expect(error, String(round)).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
        expect(shownBy(error)).toContain('give the account a new refreshToken')
        expect(shownBy(error)).not.toContain(refreshToken)
      }
      expect(site.countOf('refresh')).toBe(1)
    }))
})

describe('a second factor', () => {
  test('is answered by a stored secret, once more when its code was refused', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'twoFactor', nth: 1, action: codeInstead(40_022) })
      await capacity(site.apiOf())
      expect([site.countOf('login'), site.countOf('twoFactor')]).toEqual([1, 2])
    }, withSecret))

  test('is asked of a person, may be wrong, and opens the account from another process', () =>
    withSite(async (site) => {
      const { provider, account } = site
      expect(await provider.login(account, never)).toEqual({ kind: 'challenge', methods: ['totp'] })
      expect(await failureOf(capacity(site.apiOf()))).toMatchObject({ state: 'needs-2fa' })
      const answer = (code: string) => provider.answerChallenge(account, { method: 'TOTP', code }, never)
      const wrong = await failureOf(answer('000000'))
      expect(wrong).toMatchObject({ class: 'bad-request', message: 'the site refused the code' })
      expect(site.countOf('login')).toBe(1)

      // As another process that knows the secret would.
      await capacity(site.apiOf(site.accountWith({ totpSecret: TOTP_SECRET })))
      expect([site.countOf('login'), site.login.spent()]).toEqual([1, 1])
    }, byApp))

  test('that came too late is a matter of a new login', () =>
    withSite(async (site) => {
      const { provider, account } = site
      await provider.login(account, never)
      site.fake.faults.add({ operation: 'twoFactor', nth: 1, action: codeInstead(404) })
      const answer = () => provider.answerChallenge(account, { method: 'totp', code: '123456' }, never)
      expect(shownBy(await failureOf(answer()))).toContain('has ended: log in again')
      expect(shownBy(await failureOf(answer()))).toContain('no login of this account waits')
    }, byApp))

  test('by a way that there is not is refused', () =>
    withSite(async ({ provider, account }) => {
      const answer = provider.answerChallenge(account, { method: 'emailOtp', code: '1' }, never)
      expect(await failureOf(answer)).toBeInstanceOf(FatalError)
    }, byApp))
})

describe('a captcha', () => {
  const asked: SiteOpening = { fake: { captcha: 'k4t5' } }

  test('is told from a wrong password, costs no login, and needs a person, who is told what to do', () =>
    withSite(async (site) => {
      const error = await failureOf(capacity(site.apiOf()))
      expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
      expect(shownBy(error)).toContain('stevedore account login ann')
      expect(shownBy(error)).toContain('refreshToken')
      expect([site.countOf('login'), site.login.spent()]).toEqual([0, 0])
    }, asked))

  test('is shown to a person, and answered by another process', () =>
    withSite(async (site) => {
      const { provider, account } = site
      const shown = await provider.login(account, never)
      expect(shown).toMatchObject({ kind: 'challenge', methods: ['captcha'] })
      expect(shown).toHaveProperty('note', expect.stringContaining('data:image/png;base64,'))
      const answer = { method: 'captcha', code: ' k4t5 ' }
      expect(await provider.answerChallenge(account, answer, never)).toEqual({ kind: 'ok' })
      await capacity(site.apiOf())
      expect(site.countOf('login')).toBe(1)
    }, asked))

  test('that was misread wants a new picture', () =>
    withSite(async ({ provider, account }) => {
      await provider.login(account, never)
      const answer = (code: string) => provider.answerChallenge(account, { method: 'captcha', code }, never)
      const wrong = await failureOf(answer('xxxx'))
      expect(wrong).toMatchObject({ class: 'bad-request' })
      expect(shownBy(wrong)).toContain('log in again for a new one')
      expect(shownBy(await failureOf(answer('k4t5')))).toContain('no login of this account waits')
    }, asked))

  test('may be followed by a second factor', () =>
    withSite(
      async ({ provider, account }) => {
        await provider.login(account, never)
        const answer = { method: 'captcha', code: 'k4t5' }
        expect(await provider.answerChallenge(account, answer, never)).toMatchObject({ methods: ['totp'] })
      },
      { fake: { ...byApp.fake, ...asked.fake } },
    ))

  test('that the site wants without having said so is one as well', () =>
    withSite(async (site) => {
      site.fake.faults.add({ operation: 'login', action: codeInstead(40_026) })
      expect(shownBy(await failureOf(capacity(site.apiOf())))).toContain('asks for a captcha')
    }))

  test('that only a browser can show is left to a browser', () =>
    withSite(async (site) => {
      const basic = { code: 0, data: { captcha_type: 'turnstile' }, msg: '' }
      site.fake.faults.add({
        operation: 'config',
        nth: 2,
        action: { kind: 'status', status: 200, body: basic },
      })
      const error = await failureOf(site.provider.login(site.account, never))
      expect(error).toMatchObject({ name: 'NeedsPerson', state: 'needs-login' })
      expect(shownBy(error)).toContain('in a browser')
    }, asked))
})

describe('secrets', () => {
  test('are in no error, even when the site repeats them', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      const { access, refresh } = tokensIn(site)
      const echo = `${access} ${refresh} ${ann.password} ${TOTP_SECRET}`
      site.fake.faults.add({ operation: 'capacity', action: codeInstead(40_001, echo, echo) })
      const told = shownBy(await failureOf(capacity(site.apiOf())))
      for (const secret of [access, refresh]) expect(told).not.toContain(secret)
      site.fake.faults.add({ operation: 'login', action: codeInstead(40_001, ann.password) })
      site.fake.revokeLogins()
      site.fake.expireTokens()
      expect(shownBy(await failureOf(site.provider.login(site.account, never)))).not.toContain(ann.password)
    }, withSecret))

  test('go to the site alone, and never along a redirect', () =>
    withSite(async (site) => {
      await capacity(site.apiOf())
      const headers = { location: `${site.fake.baseUrl}/api/v4/user/elsewhere` }
      const action = { kind: 'status', status: 302, headers, body: '' } as const
      site.fake.faults.add({ operation: 'capacity', times: 3, action })
      expect(await failureOf(capacity(site.apiOf()))).toBeInstanceOf(Unreachable)
      expect(site.countOf('unknown')).toBe(0)
      expect(site.fake.ledger.every(({ headers }) => headers['x-cr-correlation-id'] === undefined)).toBe(true)
    }))
})
