import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { expect, inject, test } from 'vitest'
import { z } from 'zod'
import { openQueues } from '#shared/queues.ts'
import type { Started } from '../support/processes.ts'
import { eventually as within } from '../support/service.ts'
import { openSite, PART_SIZE } from '../support/site.ts'
import type { Site } from '../support/site.ts'

const UPLOAD = { provider: 'vrchat', account: 'me', partSize: PART_SIZE }
const FIRST = 30
const PER_RESTART = 5
const RESTARTS_EACH = 2

/** Of every fifth upload so many parts; the others go in one. */
const sizeOf = (index: number): number => (index % 5 === 0 ? 8 * PART_SIZE + index : PART_SIZE - 1 - index)

/** On a machine that is busy with something else. */
const eventually = async <T>(check: () => Promise<T | false> | T | false): Promise<T> => within(check, 60_000)

async function restarted(site: Site, role: 'serve' | 'worker', process: Started): Promise<Started> {
  process.signal('SIGTERM')
  expect(await process.ended).toMatchObject({ code: 0, err: '' })
  return site.start(role)
}

const putsUnderWay = ({ fake }: Site): number =>
  fake.ledger.filter(({ operation, endedAt }) => operation === 'putPart' && endedAt === undefined).length

/** Asks again, with the same key, until there is an answer. */
async function acceptSurely(site: Site, name: string): Promise<void> {
  const token = (await readFile(join(site.dataDir, 'token'), 'utf8')).trim()
  const source = pathToFileURL(join(site.folder, name)).href
  const request = {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'idempotency-key': `key-of-${name}`,
    },
    body: JSON.stringify({ ...UPLOAD, source, destination: { name } }),
  }
  await eventually(async () => {
    // Nobody listens, or no more.
    const answer = await fetch(`${site.url}/v1/uploads`, request).catch(() => undefined)
    if (answer === undefined || answer.status === 503) return false
    if (answer.status !== 202) throw new Error(`${name} → ${answer.status} ${await answer.text()}`)
    return true
  })
}

type Processes = [serve: Started, one: Started, two: Started]

interface Restart {
  readonly turn: 0 | 1
  readonly running: Processes
  /** Of uploads to be accepted meanwhile. */
  readonly names: readonly string[]
}

/** Restarts a worker, and with the second one the API, with parts and a request on their way. */
async function restartOne(site: Site, { turn, running, names }: Restart): Promise<void> {
  const [atRestart = '', ...before] = names
  // Accepted just before, so that there is something to interrupt.
  for (const name of before) await acceptSurely(site, name)
  await eventually(() => putsUnderWay(site) > 1)
  const [serve, one, two] = running
  const [nextServe, nextWorker] = await Promise.all([
    turn === 0 ? serve : restarted(site, 'serve', serve),
    restarted(site, 'worker', turn === 0 ? one : two),
    acceptSurely(site, atRestart),
  ])
  running[0] = nextServe
  running[turn + 1] = nextWorker
}

test('row 13: a rolling restart of everything, twice, in the middle of 50 uploads sends nothing twice', async () => {
  const prefix = `{test-${randomBytes(6).toString('hex')}}`
  const env = {
    REDIS_URL: inject('redisUrl'),
    STEVEDORE_PREFIX: prefix,
    STEVEDORE_ALLOW_UNSAFE_REDIS: 'true',
    STEVEDORE_GRACE_MS: '60000',
    // As in production: no lock may be lost because this machine is busy.
    STEVEDORE_LOCK_MS: '20000',
    STEVEDORE_STALLED_MS: '3000',
  }
  await using site = await openSite({ env, fake: { storageBytesPerSecond: 3 * PART_SIZE } })
  await using resources = new AsyncDisposableStack()
  const redis = new Redis(inject('redisUrl'))
  resources.defer(() => redis.disconnect())
  const names = Array.from({ length: FIRST + PER_RESTART * RESTARTS_EACH * 2 }, (_, index) => `${index}.vrca`)
  const sources = new Map<string, Buffer>()
  for (const [index, name] of names.entries()) sources.set(name, await site.source(name, sizeOf(index)))
  const running: Processes = await Promise.all([
    site.start('serve'),
    site.start('worker'),
    site.start('worker'),
  ])
  await site.addAccount({ partsAtOnce: 4, maxActiveUploads: 8 })

  const rest = names.slice(FIRST)
  const argv = ['upload', ...names.slice(0, FIRST), '--account', 'me', '--part-size', '64K', '--wait']
  const waiting = site.cli(argv)
  await eventually(async () => (await listed(site)).length === FIRST)
  for (const turn of [0, 1, 0, 1] as const) {
    await restartOne(site, { turn, running, names: rest.splice(0, PER_RESTART) })
    expect(await redis.keys(`${prefix}*:crashed`)).toEqual([])
  }
  const { code, out } = await waiting
  const uploads = await eventually(async () => {
    const all = await listed(site)
    return all.every(({ state }) => state === 'completed') && all
  })

  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining(`${FIRST} completed`) })
  expect(uploads.map(({ fileName }) => fileName).toSorted()).toEqual(names.toSorted())
  expect(uploads.filter(({ bytesResent }) => bytesResent > 0)).toEqual([])
  await assertSentOnce(site, uploads, sources)
  expect(await attempts(redis, prefix)).toEqual([1])
  expect(site.fake.violations).toEqual([])
})

type Listed = z.infer<typeof list>['items']

/** I2, and I4 with nothing sent in vain: all bytes that storage received are those of files and signatures. */
async function assertSentOnce(
  site: Site,
  uploads: Listed,
  sources: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const { blobs, receivedBytes } = await site.fake.totals()
  const signatures = blobs
    .filter(({ fileType }) => fileType === 'signature')
    .map(({ declaredSize }) => declaredSize)
  const sizes = [...sources.values()].map(({ length }) => length)
  expect(receivedBytes).toBe(sum([...sizes, ...signatures]))
  for (const { fileName, version } of uploads) {
    const arrived = await site.fake.bytesOf(version?.remoteId ?? '', 1, 'file')
    expect(arrived.equals(sources.get(fileName) ?? Buffer.of())).toBe(true)
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

const list = z.object({
  items: z.array(
    z.looseObject({
      fileName: z.string(),
      state: z.string(),
      bytesResent: z.number(),
      version: z.looseObject({ remoteId: z.string() }).nullable(),
    }),
  ),
})

async function listed(site: Site) {
  return list.parse((await site.ask('GET', '/v1/uploads?limit=100')).json).items
}

/** All numbers of attempts that jobs have used: 1 is the one that ended well. */
async function attempts(redis: Redis, prefix: string): Promise<number[]> {
  const queues = openQueues({ redis, prefix, retainMs: 60_000 })
  const jobs = await Promise.all([queues.uploads.getJobs(), queues.parts.getJobs()])
  await queues.close()
  return [...new Set(jobs.flat().map(({ attemptsMade }) => attemptsMade))]
}
