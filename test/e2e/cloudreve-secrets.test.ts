import { randomBytes, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { startFakeCloudreve } from '../fakes/cloudreve/server.ts'
import type { FakeCloudreve, FakeCloudreveOptions } from '../fakes/cloudreve/server.ts'
import { openStores } from '../fakes/cloudreve/stores/index.ts'
import { canaryPassword, canaryTotpSecret, findCanaries } from '../support/canaries.ts'
import type { Canary, Place } from '../support/canaries.ts'
import { cloudreveSecrets } from '../support/cloudreve-secrets.ts'
import { CHUNK, everyPolicy } from '../support/cloudreve-service.ts'
import { echo, envelopeEcho, s3Echo, textEcho } from '../support/echo.ts'
import {
  allArguments,
  allFiles,
  allKeys,
  apiAnswers,
  dashboardPages,
  openRedis,
} from '../support/hiding-places.ts'
import { eventually } from '../support/service.ts'
import { openSite } from '../support/site.ts'
import type { Answer, Site } from '../support/site.ts'

const password = canaryPassword()
const wrongPassword = canaryPassword()
const totpSecret = canaryTotpSecret()
const purchaseTicket = `ticket-${randomUUID()}`
const refreshToken = `refresh.${randomUUID()}`
const iv = randomBytes(16)

const given: readonly Canary[] = [
  { name: 'the password', value: password },
  { name: 'the wrong password', value: wrongPassword },
  { name: 'the TOTP secret', value: totpSecret },
  { name: 'the purchase ticket', value: purchaseTicket },
  { name: 'the refresh token', value: refreshToken },
  { name: 'the IV', value: iv.toString('base64') },
]

/** The stores, and all that they gave out for the site to hand on. */
function openSpied(): { stores: NonNullable<FakeCloudreveOptions['stores']>; issued: () => Canary[] } {
  const issued = new Map<string, string>()
  return {
    issued: () => [...issued].map(([value, name]) => ({ name, value })),
    stores: async (host) =>
      (await openStores(host)).map((store) => ({
        ...store,
        open: async (opening) => {
          const opened = await store.open(opening)
          const { upload_urls: urls, credential = '', completeURL = '', upload_policy: policy = '' } = opened
          for (const url of urls) issued.set(url, `an upload URL of ${store.kind}`)
          const others = { credential, completeURL, policy, callback: opening.callbackUrl }
          for (const [name, value] of Object.entries(others)) {
            if (value !== '') issued.set(value, `${name} of ${store.kind}`)
          }
          return opened
        },
      })),
  }
}

const folders = ['', 's3/', 'sealed/', 'remote/', 'onedrive/', 'qiniu/', 'upyun/']

const upload = z.looseObject({
  id: z.string(),
  state: z.string(),
  version: z.looseObject({ remoteId: z.string(), number: z.string() }).nullable(),
})
type Upload = z.infer<typeof upload>

/** By the command line and by the API, with all secrets that they take, and with some that are refused. */
async function addAccounts({ cli, ask }: Site, fake: FakeCloudreve): Promise<Answer[]> {
  const env = {
    CLOUDREVE_EMAIL: 'ada@stevedore.test',
    CLOUDREVE_PASSWORD: password,
    CLOUDREVE_TOTP_SECRET: totpSecret,
    CLOUDREVE_PURCHASE_TICKET: purchaseTicket,
  }
  const argv = ['account', 'add', 'cloudreve', 'drive', '--base-url', fake.baseUrl, '--json']
  expect(await cli(argv, { env })).toMatchObject({ code: 0 })
  const account = { provider: 'cloudreve', baseUrl: fake.baseUrl }
  const wrong = { ...account, id: 'wrong', email: 'eve@stevedore.test', password: wrongPassword }
  const answers = [
    await ask('POST', '/v1/accounts', wrong),
    await ask('POST', '/v1/accounts', { ...account, id: 'imported', refreshToken }),
    await ask('POST', '/v1/accounts', { ...account, id: 'x', refreshtoken: refreshToken }),
    await ask('POST', '/v1/accounts', {
      ...account,
      id: 'y',
      baseUrl: `http://ada:${wrongPassword}@drive.test`,
    }),
    await ask('PATCH', '/v1/accounts/drive', { purchaseTicket: `${purchaseTicket}\n`, email: password }),
    await ask('POST', '/v1/accounts/drive/challenge', { method: password, code: totpSecret }),
  ]
  const bodies = [envelopeEcho(-1), envelopeEcho(40_020), textEcho]
  for (const [id, sent] of [
    ['wrong', { password: wrongPassword }],
    ['imported', { refresh_token: refreshToken }],
  ] as const) {
    for (const [index, shape] of bodies.entries()) {
      for (const operation of ['login', 'refresh', 'config'] as const) {
        echo(fake, operation, { status: index < 2 ? 200 : 500, shape: withBody(shape, sent) })
      }
      answers.push(await ask('POST', `/v1/accounts/${id}/login`))
    }
    fake.faults.clear()
    answers.push(await ask('POST', `/v1/accounts/${id}/login`))
  }
  return answers
}

type Shape = typeof textEcho

/** The fake keeps no bodies: what was in them is known here. */
const withBody =
  (shape: Shape, body: unknown): Shape =>
  (entry) =>
    shape({ ...entry, rawUrl: `${entry.rawUrl} ${JSON.stringify(body)}` })

function plantTrouble(fake: FakeCloudreve): void {
  echo(fake, 'createSession', { status: 200, shape: envelopeEcho(-1) })
  echo(fake, 'info', { status: 500, shape: textEcho })
  echo(fake, 'sendChunk', { status: 200, shape: envelopeEcho(50_001) })
  echo(fake, 's3.putPart', { status: 403, shape: s3Echo })
  echo(fake, 's3.complete', { status: 403, shape: s3Echo })
  echo(fake, 'remote.chunk', { status: 200, shape: envelopeEcho(50_004) })
  echo(fake, 'callback', {
    status: 400,
    shape: envelopeEcho(-1),
    where: { uri: 'cloudreve://my/s3/a.bin' },
  })
}

async function uploadTo({ ask, folder }: Site, to: string): Promise<string> {
  const source = pathToFileURL(join(folder, 'a.bin')).href
  const wanted = { provider: 'cloudreve', account: 'drive', source, destination: { uri: to } }
  return upload.parse((await ask('POST', '/v1/uploads', wanted)).json).id
}

async function untilEnded({ ask }: Site, id: string): Promise<Upload> {
  return eventually(async () => {
    const found = upload.parse((await ask('GET', `/v1/uploads/${id}`)).json)
    return ['completed', 'failed'].includes(found.state) && found
  }, 60_000)
}

/** By the command line: what there is, and what is refused. Its output is kept by the site. */
async function lookAround({ cli }: Site, fake: FakeCloudreve, uploads: readonly Upload[]): Promise<void> {
  await cli(['list', '--json', '--limit', '100'])
  await cli(['account', 'show', 'drive', '--json'])
  echo(fake, 'downloadUrl', { status: 200, shape: envelopeEcho(403) })
  for (const [index, { version }] of uploads.slice(0, 3).entries()) {
    const { remoteId = '', number = '' } = version ?? {}
    const account = ['--account', 'drive']
    await cli(['versions', remoteId, ...account, '--json'])
    const { code } = await cli(['download', remoteId, number, ...account, '-o', `back-${index}`])
    expect(code === 0).toBe(index > 0)
  }
}

test('row 40: no secret of Cloudreve’s is anywhere that somebody may look, after a run with errors of all kinds', async () => {
  const { stores, issued } = openSpied()
  const sealed = { type: 's3' as const, folder: '/sealed', chunkSize: CHUNK, encryption: true }
  await using fake = await startFakeCloudreve({
    users: [
      { email: 'ada@stevedore.test', password, totpSecret },
      { email: 'eve@stevedore.test', password: 'another' },
    ],
    policies: [...everyPolicy, sealed],
    stores,
    purchaseTicket,
    encryptionIv: iv,
  })
  await using site = await openSite({
    env: { STEVEDORE_LOG_LEVEL: 'trace', STEVEDORE_LOGIN_BUDGET_MS: '0' },
  })
  await site.source('a.bin', CHUNK + 5)
  await site.start()
  const logins = await addAccounts(site, fake)
  plantTrouble(fake)

  const ids = await Promise.all(folders.map(async (folder) => uploadTo(site, `cloudreve://my/${folder}`)))
  const midway = await eventually(async () => {
    const pages = await dashboardPages(site)
    return pages.some(({ content }) => String(content).includes('"stacktrace":["')) && pages
  })
  fake.expireTokens()
  const uploads = await Promise.all(ids.map(async (id) => untilEnded(site, id)))
  fake.faults.clear()
  await lookAround(site, fake, uploads)

  await using resources = new AsyncDisposableStack()
  const redis = await openRedis(site)
  resources.defer(() => redis.disconnect())
  const look = async (): Promise<Place[]> => [
    { name: 'what a process wrote', content: site.said() },
    ...midway,
    ...logins.map(({ status, text }, index) => ({ name: `a login ${index} (${status})`, content: text })),
    ...(await apiAnswers(site)),
    ...(await dashboardPages(site)),
    ...(await allKeys(redis)),
    ...(await allFiles(site)),
    ...(await allArguments()),
  ]
  const canaries = [...given, ...cloudreveSecrets(fake), ...issued()]

  expect(uploads.map(({ state }) => state)).toEqual(folders.map(() => 'completed'))
  expect(issued().length).toBeGreaterThan(12)
  expect(new Set(canaries.map(({ name }) => name)).size).toBeGreaterThan(20)
  expect(findCanaries(await look(), canaries)).toEqual([])
  expect(fake.violations).toEqual([])

  // And it would be seen, wherever it was.
  const [{ value: url } = { value: '' }] = issued()
  await redis.hset('{stevedore}:upload:planted', 'error', `PUT ${encodeURIComponent(url)}`)
  await writeFile(join(site.dataDir, 'planted.log'), `{"token":"${refreshToken}"}`)
  const planted = findCanaries(await look(), canaries)
  expect(planted).toContain('the refresh token (plain) is in the file planted.log')
  expect(planted.some((found) => found.endsWith('is in the key {stevedore}:upload:planted'))).toBe(true)
})
