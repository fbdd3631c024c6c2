import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  accountRequest,
  credentials,
  settings,
  settingsOf,
  uploadRequest,
} from '#shared/providers/cloudreve/request.ts'

const baseUrl = 'https://drive.example.org'
const login = { email: 'ann@example.org', password: 'pass' }

const issuesOf = (schema: z.ZodType, input: unknown): string[] =>
  (schema.safeParse(input).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)

test.each([
  [{ baseUrl, ...login }, []],
  [{ baseUrl, refreshToken: 'eyJ.x.y' }, []],
  [{ baseUrl, ...login, refreshToken: 'eyJ.x.y', purchaseTicket: '1f63aa26' }, []],
  [{ baseUrl }, ['email: give `email` and `password`, or a `refreshToken`']],
  [{ baseUrl, email: login.email }, ['password: is missing: an `email` needs its `password`']],
  [{ baseUrl, password: 'pass' }, ['email: is missing: a `password` needs its `email`']],
  [
    { baseUrl, email: login.email, refreshToken: 'x' },
    ['password: is missing: an `email` needs its `password`'],
  ],
  [{ ...login }, ['baseUrl: must be an http(s) URL, such as https://drive.example.org']],
  [
    { ...login, baseUrl: 'drive.example.org' },
    ['baseUrl: must be an http(s) URL, such as https://drive.example.org'],
  ],
  [
    { ...login, baseUrl: 'https://ann:secret@drive.example.org' },
    ['baseUrl: must hold no user name or password: they belong in `email` and `password`'],
  ],
  [{ baseUrl, ...login, password: 'abc' }, ['password: Too small: expected string to have >=4 characters']],
  [{ baseUrl, ...login, email: 'ann' }, ['email: must be an e-mail address']],
  [{ baseUrl, ...login, totpSecret: '!' }, ['totpSecret: must be a base32 secret or an otpauth:// URI']],
  [{ baseUrl, ...login, colour: 'red' }, [': Unrecognized key: "colour"']],
])('the account %j has these issues', (input, issues) => {
  expect(issuesOf(accountRequest, input)).toEqual(issues)
})

test('an account with fields of the service is judged the same', () => {
  const extended = accountRequest.extend({ id: z.string() })
  expect(issuesOf(extended, { id: 'ann', baseUrl })).toHaveLength(1)
  expect(issuesOf(extended, { id: 'ann', baseUrl, ...login })).toEqual([])
})

test.each([
  'https://drive.example.org/',
  'https://drive.example.org//',
  'https://drive.example.org/api/v4',
  'https://drive.example.org/api/v4/',
  'https://drive.example.org/home?path=cloudreve%3A%2F%2Fmy%2Fbackups',
  'https://drive.example.org/session/signin#x',
])('%s is the site', (given) => {
  expect(settings.parse({ baseUrl: given }).baseUrl).toBe(baseUrl)
})

test('a site below a path keeps it', () => {
  expect(settings.parse({ baseUrl: 'http://10.0.0.1:5212/cloud/home' }).baseUrl).toBe(
    'http://10.0.0.1:5212/cloud',
  )
})

test('settings have gentle defaults, and are parsed once for an account', () => {
  const account = { settings: { baseUrl } }
  expect(settingsOf(account)).toEqual({
    baseUrl,
    onForeign: 'wait',
    foreignWaitMs: 86_400_000,
    etagCheck: 'strict',
  })
  expect(settingsOf(account)).toBe(settingsOf(account))
})

test('what a person took away from the credentials is no error there: the login says what is missing', () => {
  expect(credentials.parse({})).toEqual({})
})

const to = (destination: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  destination: { uri: 'cloudreve://my/', ...destination },
  ...more,
})

test('an upload needs no more than its place', () => {
  expect(uploadRequest.parse(to({}))).toEqual({
    destination: { uri: 'cloudreve://my/', onConflict: 'version' },
    onUnchanged: 'skip',
  })
})

const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`props:${at}`, '']))

test.each([
  [to({ uri: '/backups' }), ['destination.uri: must begin with cloudreve://my/']],
  [to({ onConflict: 'overwrite' }), ['destination.onConflict: Invalid option']],
  [to({ policyId: '../x' }), ['destination.policyId: must be the id of a storage policy']],
  [to({ metadata: { 'sys:upload_session_id': 'x' } }), ['destination.metadata.sys:upload_session_id: ']],
  [to({ metadata: { colour: 'red' } }), ['destination.metadata.colour: ']],
  [to({ metadata: many }), ['destination.metadata: has more than 256 entries']],
  [to({}, { verify: 'hash' }), ['verify: ']],
  [to({}, { partSize: 1 }), [': Unrecognized key: "partSize"']],
])('%j is refused with the place and the reason', (input, issues) => {
  const found = issuesOf(uploadRequest, input)
  expect(found).toHaveLength(issues.length)
  issues.forEach((issue, at) => expect(found[at]).toContain(issue))
})

test('metadata of every category that a site takes is taken', () => {
  const metadata = {
    'tag:red': '#f00',
    'props:a': 'b',
    'customize:icon_color': '#000',
    'thumb:disabled': '',
    'dav:x': '',
  }
  expect(issuesOf(uploadRequest, to({ metadata }))).toEqual([])
})
