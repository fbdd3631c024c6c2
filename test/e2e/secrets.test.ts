import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FakeVrchat, LedgerEntry, Operation } from '../fakes/vrchat/server.ts'
import { canaryPassword, canaryTotpSecret, findCanaries } from '../support/canaries.ts'
import type { Canary, Place } from '../support/canaries.ts'
import {
  allArguments,
  allFiles,
  allKeys,
  apiAnswers,
  dashboardPages,
  openRedis,
} from '../support/hiding-places.ts'
import { eventually } from '../support/service.ts'
import { openSite, PART_SIZE } from '../support/site.ts'
import type { Answer, Site } from '../support/site.ts'

const password = canaryPassword()
const wrongPassword = canaryPassword()
const totpSecret = canaryTotpSecret()
const apiKey = `old-api-key-${randomUUID()}`
// As VRChat makes them, and as no pattern knows them.
const importedCookie = `authcookie_${randomUUID()}`
const oddCookie = `cookie.of-another-kind:${randomUUID()}`

const given: readonly Canary[] = [
  { name: 'the password', value: password },
  { name: 'the wrong password', value: wrongPassword },
  { name: 'the TOTP secret', value: totpSecret },
  { name: 'the API key', value: apiKey },
  { name: 'the imported cookie', value: importedCookie },
  { name: 'the odd cookie', value: oddCookie },
]

/** Further accounts, so that what goes wrong for one keeps no other waiting, and how their uploads end. */
const others = [
  { username: 'bea', end: 'failed' },
  { username: 'cyd', end: 'completed' },
  { username: 'dan', end: 'failed' },
  { username: 'fay', end: 'completed' },
  { username: 'gil', end: 'completed' },
]

/** What the provider gave out, as it saw it come back. */
function givenOut({ ledger }: FakeVrchat): Canary[] {
  const found = ledger.flatMap(({ headers, rawUrl }) => [
    ...(headers.cookie ?? '').split('; ').map((pair): [string, string] => {
      const at = pair.indexOf('=')
      return [`the cookie ${pair.slice(0, at)}`, pair.slice(at + 1)]
    }),
    ['the Basic credentials', headers.authorization?.replace('Basic ', '') ?? ''] as const,
    ['the signature of a URL', /X-Amz-Signature=([^&]+)/.exec(rawUrl)?.[1] ?? ''] as const,
  ])
  const values = new Map(found.map(([name, value]) => [value, name]))
  for (const { value } of [{ value: '' }, ...given]) values.delete(value)
  return [...values].map(([value, name]) => ({ name, value }))
}

/** What the service made for itself, and the one file that may hold it. */
async function ownSecrets({ dataDir }: Site): Promise<(Canary & { readonly in: readonly string[] })[]> {
  const read = async (name: string): Promise<string> => readFile(join(dataDir, name), 'utf8')
  const redisPassword = /"password": "(\w+)"/.exec(await read('redis.json'))?.[1] ?? ''
  return [
    { name: 'the API token', value: (await read('token')).trim(), in: ['the file token'] },
    { name: 'the secret key', value: (await read('secret.key')).trim(), in: ['the file secret.key'] },
    {
      name: "Redis's password",
      value: redisPassword,
      in: ['the file redis.json', 'the file redis.conf'],
    },
  ]
}

/** Answers so many requests with an error that repeats all of the request, as debugging pages do. */
function echo(fake: FakeVrchat, operation: Operation, rule: EchoRule): void {
  const { status, times = 1, shape = apiEcho, where = {} } = rule
  const handle = fake.faults.add({ operation, where, times, action: { kind: 'status', status, body: '' } })
  const next = fake.hooks.onRequest
  fake.hooks.onRequest = async (event) => {
    const entry = fake.ledger[event.sequence - 1]
    const { action } = handle.rule
    if (entry?.operation === operation && event.phase === 'arrival' && action.kind === 'status') {
      action.body = shape(entry, status)
    }
    await next?.(event)
  }
}

interface EchoRule {
  readonly status: number
  readonly times?: number
  readonly shape?: (entry: LedgerEntry, status: number) => unknown
  readonly where?: { readonly user?: string; readonly fileType?: string }
}

const requestOf = ({ method, rawUrl, headers }: LedgerEntry): string =>
  `${method} ${rawUrl} as {"cookie":"${headers.cookie}","authorization":"${headers.authorization}"} ` +
  `Cookie: ${headers.cookie}\nAuthorization: ${headers.authorization} and bare ${headers.cookie} `

const apiEcho = (entry: LedgerEntry, status: number): unknown => ({
  error: { message: `no: ${requestOf(entry)}`, status_code: status, fields: { request: requestOf(entry) } },
})
const bareEcho = (entry: LedgerEntry): unknown => ({ error: requestOf(entry) })
const basicOf = ({ headers }: LedgerEntry): string =>
  Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString()
// Twice quoted, as VRChat does it.
const passwordEcho = (entry: LedgerEntry): unknown => ({
  error: { message: JSON.stringify(`${basicOf(entry)} is ${decodeURIComponent(basicOf(entry))}`) },
})
const textEcho = (entry: LedgerEntry): unknown => `<h1>Trouble</h1> ${requestOf(entry)}`

const s3Echo = ({ rawUrl, method }: LedgerEntry): unknown =>
  `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>${rawUrl}</Message>` +
  `<SignatureProvided>${/X-Amz-Signature=([^&]+)/.exec(rawUrl)?.[1]}</SignatureProvided>` +
  `<CanonicalRequest>${method}\n${rawUrl}\nhost:127.0.0.1</CanonicalRequest></Error>`

/** A signed address, as the provider would give it, that nobody can use. */
const brokenUrl = ({ rawUrl }: LedgerEntry): unknown => ({
  url: `htp:/storage ${rawUrl}&X-Amz-Signature=${importedCookie}`,
})

/** What goes wrong for each user; all but bea's version and dan's parts is got over. */
function plantTrouble(fake: FakeVrchat): void {
  const { ada, bea, cyd, dan, fay, gil } = users
  const file = { fileType: 'file' }
  fake.faults.add({ operation: 'putPart', where: { ...ada, ...file }, nth: 2, action: 'expired' })
  fake.faults.add({ operation: 'putPart', where: { ...ada, ...file }, nth: 4, action: 'wrong-etag' })
  echo(fake, 'startFileDataUpload', { status: 200, shape: brokenUrl, where: ada })
  echo(fake, 'startFileDataUpload', { status: 403, where: ada })
  echo(fake, 'createFileVersion', { status: 400, where: bea })
  echo(fake, 'createFile', { status: 500, where: cyd })
  echo(fake, 'putPart', { status: 403, times: 1000, shape: s3Echo, where: dan })
  echo(fake, 'putPart', { status: 500, shape: s3Echo, where: fay })
  fake.faults.add({ operation: 'putPart', where: fay, nth: 3, action: 'reset-mid-body' })
  fake.faults.add({ operation: 'putPart', where: fay, nth: 4, action: 'lost-reply' })
  echo(fake, 'startFileDataUpload', { status: 503, shape: bareEcho, where: gil })
  echo(fake, 'getFile', { status: 500, shape: textEcho, where: gil })
  fake.faults.add({ operation: 'finishFileDataUpload', where: gil, nth: 1, action: 'lost-reply' })
}

const users = {
  ada: { user: 'ada' },
  bea: { user: 'bea' },
  cyd: { user: 'cyd' },
  dan: { user: 'dan' },
  fay: { user: 'fay' },
  gil: { user: 'gil' },
}

const accountOf = (fake: FakeVrchat, id: string, limits: object = {}): Record<string, unknown> => ({
  id,
  provider: 'vrchat',
  baseUrl: fake.baseUrl,
  contact: 'ops@stevedore.test',
  minPartSize: 1,
  acknowledged: true,
  limits: { callSpacingMs: 0, callsAtOnce: 4, ...limits },
})

/** By the command line, with all secrets that it takes. */
async function addAccounts({ cli, fake, ask }: Site): Promise<void> {
  const flags = ['--contact', 'ops@stevedore.test', '--acknowledge', '--base-url', fake.baseUrl]
  const fast = ['--call-spacing-ms', '0', '--calls-at-once', '4', '--parts-at-once', '2']
  const env = { VRCHAT_PASSWORD: password, VRCHAT_TOTP_SECRET: totpSecret, VRCHAT_API_KEY: apiKey }
  const argv = ['account', 'add', 'vrchat', 'me', '--username', 'ada', ...flags, ...fast, '--json']
  expect(await cli(argv, { env })).toMatchObject({ code: 0 })
  expect(await ask('PATCH', '/v1/accounts/me', { minPartSize: 1 })).toMatchObject({ status: 200 })
  for (const { username } of others) {
    const account = { ...accountOf(fake, username), username, password }
    expect(await ask('POST', '/v1/accounts', account)).toMatchObject({ status: 201 })
  }
}

/** Logins that the provider refuses, with answers that repeat what they were asked with. */
async function failedLogins(site: Site): Promise<Answer[]> {
  const { fake, ask } = site
  const logins = {
    wrong: { username: 'eve', password: wrongPassword },
    imported: { authCookie: importedCookie },
    odd: { authCookie: oddCookie },
  }
  const answers: Answer[] = []
  for (const [id, credentials] of Object.entries(logins)) {
    answers.push(await ask('POST', '/v1/accounts', { ...accountOf(fake, id), ...credentials }))
    for (const operation of ['login', 'currentUser', 'checkAuth'] as const) {
      for (const status of [401, 500]) echo(fake, operation, { status, shape: passwordEcho })
      echo(fake, operation, { status: 400 })
    }
    for (let tries = 0; tries < 3; tries++) answers.push(await ask('POST', `/v1/accounts/${id}/login`))
    fake.faults.clear()
  }
  return answers
}

/** Requests that are refused, with secrets in places where they do not belong. */
async function misuse({ ask, fake, url }: Site, token: string): Promise<Answer[]> {
  const source = `https://ada:${apiKey}@storage.test/world?X-Amz-Signature=${oddCookie}`
  const upload = { provider: 'vrchat', account: 'me', destination: { name: 'x' } }
  const raw = async (method: string, path: string, init: RequestInit): Promise<Answer> => {
    const answer = await fetch(`${url}${path}`, { method, ...init })
    const headers = JSON.stringify([...answer.headers])
    return { status: answer.status, text: `${headers}\n${await answer.text()}`, json: undefined }
  }
  const json = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  return [
    await ask('POST', '/v1/accounts', {
      ...accountOf(fake, password),
      password: { password },
      totpSecret: password,
    }),
    await ask('POST', '/v1/accounts', { ...accountOf(fake, 'x'), pasword: password, apiKey: password }),
    await ask('PATCH', '/v1/accounts/me', { password: '', authCookie: `${oddCookie}\n`, contact: password }),
    await ask('POST', '/v1/accounts/me/challenge', { method: password, code: totpSecret }),
    await ask('POST', '/v1/uploads', { ...upload, source }),
    await ask('GET', `/v1/uploads?token=${token}`),
    await ask('GET', `/v1/uploads?state=${oddCookie}&cursor=${importedCookie}`),
    await ask('GET', `/v1/${token}/${apiKey}`),
    await ask('POST', `/dashboard/api/${token}`),
    await raw('POST', '/v1/accounts', { headers: json, body: `{"password": "${totpSecret}` }),
    await raw('POST', '/v1/accounts', {
      headers: { ...json, 'content-type': 'text/plain' },
      body: totpSecret,
    }),
    await raw('GET', '/v1/uploads', { headers: { authorization: `Bearer ${token}${apiKey}` } }),
    await raw('POST', '/dashboard/login', { headers: form, body: `token=${apiKey}` }),
    await raw('POST', '/dashboard/login', { headers: form, body: `token=${token}`, redirect: 'manual' }),
  ]
}

/** By the command line: what there is, and what is refused. Its output is kept by the site. */
async function lookAround({ cli, fake }: Site, fileId: string): Promise<void> {
  const lost = { STEVEDORE_TOKEN: apiKey }
  await cli(['list'], { env: lost })
  await cli(['list', '--json', '--limit', '100'])
  await cli(['account', 'show', 'me', '--json'])
  await cli(['account', 'add', 'vrchat', 'me2', '--cookie', '--contact', 'nobody'], {
    env: { VRCHAT_AUTH_COOKIE: oddCookie },
  })
  await cli(['account', 'login', 'me', '--cookie-stdin', '--code-stdin'], { input: `${oddCookie}\n123456\n` })
  echo(fake, 'getObject', { status: 403, shape: s3Echo })
  await cli(['download', fileId, '1', '-o', 'refused'])
  await cli(['download', fileId, '1', '-o', 'back', '--force'])
}

const placesOf = (what: string, answers: readonly Answer[]): Place[] =>
  answers.map(({ status, text }, index) => ({ name: `${what} ${index} (${status})`, content: text }))

test('row 40: no secret is anywhere that somebody may look, after a run with errors of all kinds', async () => {
  await using site = await openSite({
    env: { STEVEDORE_LOG_LEVEL: 'trace', STEVEDORE_LOGIN_BUDGET_MS: '0' },
    fake: {
      users: [
        { username: 'ada', password, secondFactor: { kind: 'totp', secret: totpSecret } },
        ...others.map(({ username }) => ({ username, password })),
        { username: 'eve', password: 'another' },
      ],
    },
  })
  const { fake } = site
  const bytes = await site.source('world.vrcw', 6 * PART_SIZE)
  await Promise.all(others.map(async ({ username }) => site.source(username, 2 * PART_SIZE)))
  await site.start()
  await addAccounts(site)
  plantTrouble(fake)

  const id = await site.upload('world.vrcw')
  const ids = await Promise.all(
    others.map(async ({ username }) => site.upload(username, { account: username })),
  )
  const midway = await eventually(async () => {
    const pages = await dashboardPages(site)
    return pages.some(({ content }) => /"stacktrace":\[".*PUT file part/.test(String(content))) && pages
  })
  await site.until(id, ({ parts }) => parts.done >= 2)
  fake.expireSessions()
  const { state, version } = await site.until(id)
  const ends = await Promise.all(ids.map(async (id) => (await site.until(id)).state))
  fake.faults.clear()
  const logins = await failedLogins(site)
  const own = await ownSecrets(site)
  const token = own[0]?.value ?? ''
  const misused = await misuse(site, token)
  await lookAround(site, version?.remoteId ?? '')

  await using resources = new AsyncDisposableStack()
  const redis = await openRedis(site)
  resources.defer(() => redis.disconnect())
  const look = async (): Promise<Place[]> => [
    { name: 'what a process wrote', content: site.said() },
    ...midway,
    ...placesOf('a login', logins),
    ...placesOf('a refused request', misused),
    ...(await apiAnswers(site)),
    ...(await dashboardPages(site)),
    ...(await allKeys(redis)),
    ...(await allFiles(site)),
    ...(await allArguments()),
  ]
  const places = await look()
  const canaries = [...given, ...givenOut(fake), ...own]
  const allowed = own.flatMap(({ name, in: files }) => files.map((file) => `${name} (plain) is in ${file}`))

  expect([state, ...ends]).toEqual(['completed', ...others.map(({ end }) => end)])
  expect(await fake.bytesOf(version?.remoteId ?? '', 1, 'file')).toEqual(bytes)
  expect(new Set(canaries.map(({ name }) => name)).size).toBe(13)
  expect(findCanaries(places, canaries).toSorted()).toEqual(allowed.toSorted())

  // And it would be seen, wherever it was.
  await redis.hset('{stevedore}:upload:planted', 'error', `PUT https://x/?q=${encodeURIComponent(password)}`)
  await writeFile(join(site.dataDir, 'planted.log'), `{"cookie":"${importedCookie}"}`)
  const planted = findCanaries(await look(), canaries).filter((found) => !allowed.includes(found))
  expect(planted.toSorted()).toEqual([
    'the imported cookie (plain) is in the file planted.log',
    expect.stringMatching(/^the password \(percent-encoded\) is in the file redis\/.+aof$/),
    'the password (percent-encoded) is in the key {stevedore}:upload:planted',
  ])
})
