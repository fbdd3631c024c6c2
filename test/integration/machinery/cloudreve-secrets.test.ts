import { expect, test } from 'vitest'
import { createLog } from '#shared/log.ts'
import { createCloudreve } from '#shared/providers/cloudreve/index.ts'
import type { Provider } from '#shared/providers/provider.ts'
import { storeKinds } from '../../fakes/cloudreve/stores/store.ts'
import { canaryPassword, findCanaries } from '../../support/canaries.ts'
import type { Canary, Place } from '../../support/canaries.ts'
import { cloudreveSecrets } from '../../support/cloudreve-secrets.ts'
import { CHUNK, everyPolicy, openDrive } from '../../support/cloudreve-service.ts'
import type { Drive } from '../../support/cloudreve-service.ts'
import { echo, envelopeEcho, jsonEcho, s3Echo, textEcho } from '../../support/echo.ts'
import { allKeys } from '../../support/hiding-places.ts'
import { createGate, eventually } from '../../support/service.ts'

const password = canaryPassword()
const purchaseTicket = 'canary-ticket-0815'
const user = { email: 'ada@stevedore.test', password }

/** The provider, and all that it ever handed over to be kept as tickets. */
function openSpied() {
  const provider = createCloudreve({ timing: { retryMs: 20, settleMs: 20 }, http: { stallMs: 30_000 } })
  const tickets = new Map<string, string>()
  const spied: Provider = {
    ...provider,
    prepare: (account, upload, opening, signal) => {
      const saveTickets: typeof opening.saveTickets = async (named) => {
        for (const [name, ticket] of Object.entries(named)) tickets.set(ticket, `the ticket ${name}`)
        await opening.saveTickets(named)
      }
      return provider.prepare(account, upload, { ...opening, saveTickets }, signal)
    },
  }
  return { provider, spied, tickets }
}

/** Every kind of answer that repeats what it was asked with. */
function plantEchoes({ fake }: Drive): void {
  echo(fake, 'createSession', { status: 200, shape: envelopeEcho(-1) })
  echo(fake, 'info', { status: 200, shape: envelopeEcho(50_001) })
  echo(fake, 'sendChunk', { status: 502, shape: textEcho })
  echo(fake, 'sendChunk', { status: 200, shape: envelopeEcho(50_001) })
  echo(fake, 'callback', { status: 400, shape: envelopeEcho(-1), where: { uri: uriOf('s3/') } })
  echo(fake, 'remote.chunk', { status: 200, shape: envelopeEcho(50_004) })
  for (const kind of ['s3', 'ks3', 'cos', 'oss', 'obs'] as const) {
    echo(fake, `${kind}.putPart`, { status: 403, shape: s3Echo })
    echo(fake, `${kind}.complete`, { status: 403, shape: s3Echo })
  }
  echo(fake, 'qiniu.putPart', { status: 400, shape: jsonEcho })
  echo(fake, 'onedrive.putRange', { status: 403, shape: jsonEcho })
  echo(fake, 'upyun.post', { status: 403, shape: jsonEcho })
}

const uriOf = (folder: string): string => `cloudreve://my/${folder}a.bin`

const folders = ['', 'relay/', 'sealed/', ...storeKinds.map((kind) => `${kind}/`)]

async function placesOf({ stores }: Drive, lines: readonly string[]): Promise<Place[]> {
  const { uploads, parts } = stores.queues
  const jobs = [...(await uploads.getJobs()), ...(await parts.getJobs())]
  return [
    { name: 'the log', content: lines.join('\n') },
    ...jobs.map((job) => ({
      name: `job ${job.id}`,
      content: JSON.stringify([job.toJSON(), job.stacktrace, job.failedReason]),
    })),
    ...(await allKeys(stores.redis, `${stores.keys.prefix}:*`)),
  ]
}

test('row 40: Cloudreve’s secrets are in no key of Redis, no job and no log line; its tickets only encrypted, and not for long', async () => {
  const lines: string[] = []
  const log = createLog({
    level: 'trace',
    role: 'test',
    destination: { write: (line) => void lines.push(line) },
  })
  const { provider, spied, tickets } = openSpied()
  await using _ = provider
  const sealed = { type: 's3' as const, folder: '/sealed', chunkSize: CHUNK, encryption: true }
  await using drive = await openDrive({
    log,
    providers: [spied],
    workers: 2,
    env: { STEVEDORE_LOGIN_BUDGET_MS: '1', STEVEDORE_LOCK_MS: '20000', STEVEDORE_STALLED_MS: '5000' },
    fake: { users: [user], policies: [...everyPolicy, sealed], purchaseTicket },
    credentials: { ...user, purchaseTicket },
    limits: { maxActiveUploads: folders.length, partsAtOnce: 16, callsAtOnce: 8 },
  })
  const { fake, stores } = drive
  plantEchoes(drive)
  const looked = createGate()
  let arrived = false
  const next = fake.hooks.onRequest
  fake.hooks.onRequest = async (event) => {
    await next?.(event)
    if (event.operation !== 's3.putPart' || event.chunkIndex !== 1) return
    arrived = true
    await looked.passed
  }
  const ids: string[] = []
  await drive.machine.source('a.bin', CHUNK + 5)
  for (const folder of folders) {
    ids.push(await drive.upload({ name: 'a.bin', to: uriOf(folder) }))
  }
  await eventually(() => arrived, 30_000)
  fake.expireTokens()

  const given = (): Canary[] => [
    ...cloudreveSecrets(fake),
    ...[...tickets].filter(([value]) => value.length > 7).map(([value, name]) => ({ name, value })),
    { name: 'the password', value: password },
    { name: 'the purchase ticket', value: purchaseTicket },
  ]
  const kept = await stores.redis.keys(`${stores.keys.prefix}:*:tickets:*`)
  expect(kept.length).toBeGreaterThan(0)
  expect(findCanaries(await placesOf(drive, lines), given())).toEqual([])
  looked.open()

  for (const id of ids) {
    const record = await drive.until(id)
    expect(record).toMatchObject({ state: 'completed' })
    await drive.assertArrived(record)
  }
  const names = new Set(given().map(({ name }) => name))
  for (const name of ['url/1', 'url/2', 'credential', 'complete', 'callback', 'upload-policy', 'key', 'iv']) {
    expect(names).toContain(`the ticket ${name}`)
  }
  expect(names.size).toBeGreaterThan(20)
  // Errors with the secrets in them, as a library might make them.
  const rawUrl = drive.requests('s3.putPart')[0]?.rawUrl ?? ''
  log.error({ err: new Error(`could not connect to http://store.test${rawUrl}`) }, `PUT ${rawUrl} failed`)
  expect(lines.length).toBeGreaterThan(10)
  expect(findCanaries(await placesOf(drive, lines), given())).toEqual([])
  expect(await stores.redis.keys(`${stores.keys.prefix}:*:tickets:*`)).toEqual([])
  expect(fake.violations).toEqual([])

  // And it would be seen, wherever it was.
  const planted = [...tickets.keys()][0] ?? ''
  await stores.redis.set(`${stores.keys.prefix}:planted`, planted)
  expect(findCanaries(await placesOf(drive, lines), given())).not.toEqual([])
})
