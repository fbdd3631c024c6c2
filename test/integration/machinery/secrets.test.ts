import { expect, test } from 'vitest'
import { createLog } from '#shared/log.ts'
import { allKeys } from '../../support/hiding-places.ts'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

const totpSecret = 'JBSWY3DPEHPK3PXP'
const password = 'canary-password-%41ß'

/** What must be found nowhere: as it is, and as it travels. */
function canaries({ fake }: Service): string[] {
  const signatures = fake.ledger
    .filter(({ operation }) => operation === 'putPart')
    .map(({ rawUrl }) => /X-Amz-Signature=([^&]+)/.exec(rawUrl)?.[1] ?? '')
  const cookies = fake.ledger.flatMap(({ headers }) =>
    (headers.cookie ?? '').split('; ').map((pair) => pair.slice(pair.indexOf('=') + 1)),
  )
  const basic = fake.ledger.map(({ headers }) => headers.authorization?.replace('Basic ', '') ?? '')
  const plain = [password, encodeURIComponent(password), totpSecret]
  return [...new Set([...plain, ...signatures, ...cookies, ...basic])].filter((secret) => secret.length > 5)
}

test('row 40: no secret is in any key of Redis, any job or any log line, after a run with errors of all kinds', async () => {
  const lines: string[] = []
  const log = createLog({
    level: 'trace',
    role: 'test',
    destination: { write: (line) => void lines.push(line) },
  })
  await using service = await openService({
    log,
    workers: 2,
    env: { STEVEDORE_LOGIN_BUDGET_MS: '1' },
    fake: {
      loginSpacingMs: 0,
      users: [{ username: 'ada', password, secondFactor: { kind: 'totp', secret: totpSecret } }],
    },
    credentials: { username: 'ada', password, totpSecret },
  })
  const { fake, stores } = service
  for (const [nth, action] of (
    ['expired', 'reset-mid-body', 'lost-reply', 'wrong-etag', 'no-etag', 'html', 'huge-body'] as const
  ).entries()) {
    fake.faults.add({ operation: 'putPart', nth: nth + 1, action })
  }
  fake.faults.add({ operation: 'putPart', where: { partNumber: 4 }, action: { kind: 'status', status: 403 } })
  const ids = [
    await service.upload({ name: 'fails', content: 300 * KIB }),
    await service.upload({ name: 'works', content: 100 }),
  ]
  await eventually(() => service.requests('putPart').length > 2)
  fake.expireSessions()
  const [failed] = [await service.until(ids[0] ?? ''), await service.until(ids[1] ?? '')]
  expect(failed).toMatchObject({ state: 'failed' })
  // Errors with the secrets in them, as a library might make them.
  const [url = ''] = service.requests('putPart').map(({ rawUrl }) => `${fake.storageUrl}${rawUrl}`)
  log.error({ err: new Error(`could not connect to ${url}`) }, `PUT ${url} failed`)
  await stores.uploads.waitingFor(ids[0] ?? '', `PUT ${url}`)

  const secrets = canaries(service)
  expect(secrets.length).toBeGreaterThan(10)
  const jobs = [...(await stores.queues.uploads.getJobs()), ...(await stores.queues.parts.getJobs())].map(
    (job) => JSON.stringify([job.toJSON(), job.stacktrace, job.failedReason]),
  )
  const everyKey = await allKeys(stores.redis, `${stores.keys.prefix}:*`)
  const redis = everyKey.map(({ content }) => content).join('\n')
  const sinks = { redis, jobs: jobs.join('\n'), log: lines.join('\n') }
  expect(sinks.redis).toContain('credentials')
  expect(lines.length).toBeGreaterThan(1)
  for (const [name, sink] of Object.entries(sinks)) {
    expect(
      secrets.filter((secret) => sink.includes(secret)),
      name,
    ).toEqual([])
  }
})
