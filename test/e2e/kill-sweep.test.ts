import { writeFile } from 'node:fs/promises'
import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  differs,
  untilEnded,
  wrongInRedis,
  wrongWithCompleted,
  wrongWithEnded,
} from '../support/kill/end-state.ts'
import { KIB, PART_SIZE } from '../support/kill/service.ts'
import type { Sent, Service, ServiceOptions } from '../support/kill/service.ts'
import { killAtCommands, killAtRequests } from '../support/kill/sweep.ts'
import type { Story } from '../support/kill/sweep.ts'

const timeout = 600_000

const options: ServiceOptions = {
  // Long enough that the first look finds it unfinished and the second one complete, in every run.
  fake: { processingMs: 200 },
  // A login whose process died in it is made anew when its lock is gone, and not half an hour later.
  env: { STEVEDORE_LOGIN_BUDGET_MS: '1000' },
}

const upload = (size: number): Story => ({
  service: options,
  tell: async (service, begin) => {
    begin()
    return service.upload(size)
  },
  wrong: wrongWithCompleted,
})

/** Slow enough that something can happen to an upload while its parts are being sent. */
const slow: ServiceOptions = { ...options, fake: { ...options.fake, storageBytesPerSecond: 2 * PART_SIZE } }

const untilParts = async ({ machine }: Service, { id }: Sent): Promise<unknown> =>
  machine.until(id, ({ partsDone }) => partsDone >= 2)

const cancelled: Story = {
  service: slow,
  tell: async (service, begin) => {
    const sent = await service.upload(5 * PART_SIZE)
    await untilParts(service, sent)
    begin()
    await service.machine.stores.uploads.want(sent.id, 'cancel')
    return sent
  },
  wrong: async (service, sent) => wrongWithEnded(service, sent, 'cancelled'),
}

const changed: Story = {
  service: slow,
  tell: async (service, begin) => {
    const sent = await service.upload(5 * PART_SIZE)
    await untilParts(service, sent)
    begin()
    const bytes = randomBytes(2 * PART_SIZE + 5)
    await writeFile(sent.path, bytes)
    return { ...sent, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  },
  wrong: async (service, sent, kills) => wrongWithCompleted(service, sent, kills, { epoch: 2 }),
}

const twoToOnePlace: Story = {
  service: options,
  tell: async (service, begin) => {
    begin()
    const [first, second] = [
      await service.upload(PART_SIZE + 1),
      await service.upload(PART_SIZE, 'newer.vrcw'),
    ]
    return { ...second, before: first }
  },
  wrong: async (service, sent) => wrongWithTwo(service, sent),
}

async function wrongWithTwo(service: Service, newer: Sent): Promise<string[]> {
  const { fake, machine } = service
  const older = newer.before ?? newer
  const late = await untilEnded(service, older, 1000)
  const records = await machine.stores.uploads.readMany([older.id, newer.id])
  const [first] = records
  const { remoteId = '' } = first?.version ?? {}
  const arrived = await Promise.all(
    [1, 2].map(async (version) => fake.sha256Of(remoteId, version, 'file').catch(String)),
  )
  return [
    ...late,
    ...differs(
      'ends',
      records.map(({ state, epoch, version }) => [state, epoch, version?.remoteId, version?.number]),
      [1, 2].map((number) => ['completed', 1, remoteId, number]),
    ),
    ...differs('SHA-256 of what arrived', arrived, [older.sha256, newer.sha256]),
    ...differs('number of Files', fake.files.length, 1),
    ...differs('most open versions', fake.maxOpenVersions, 1),
    ...differs('open versions', fake.openVersions(), []),
    ...differs('violations', fake.violations, []),
    ...(first === undefined ? [] : await wrongInRedis(service, first, 2)),
  ]
}

test(
  'row 1: a worker may be killed at any request of an upload, and another one completes it',
  { timeout },
  async () => {
    const { requests, missed, wrong } = await killAtRequests(upload(4 * PART_SIZE + 17 * KIB))

    // Login, File, version, 5 + 1 starts and parts, 2 finishes, 2 looks.
    expect(requests.length).toBeGreaterThanOrEqual(19)
    expect(wrong).toEqual([])
    expect(missed).toEqual([])
  },
)

test(
  'row 1: a worker may be killed before any Redis command of an upload, and another one completes it',
  { timeout },
  async () => {
    const { points, missed, wrong } = await killAtCommands(upload(PART_SIZE + KIB))

    expect(wrong).toEqual([])
    // What runs by the clock makes the number of commands a little different in each run.
    expect(missed.length).toBeLessThan(points / 5)
  },
)

test(
  'row 1: a worker may be killed anywhere while it cancels an upload, and nothing is left behind',
  { timeout },
  async () => {
    const atRequests = await killAtRequests(cancelled)
    const atCommands = await killAtCommands(cancelled, 3)

    expect([...atRequests.wrong, ...atCommands.wrong]).toEqual([])
    expect(atCommands.missed.length).toBeLessThan(atCommands.points / 2)
  },
)

test(
  'rows 1, 30: a worker may be killed anywhere while it starts over, and what arrives is the new source',
  { timeout },
  async () => {
    const { points, missed, wrong } = await killAtCommands(changed, 7)

    expect(wrong).toEqual([])
    expect(missed.length).toBeLessThan(points / 2)
  },
)

test(
  'row 1: a worker may be killed anywhere, and two uploads to one place still come one after the other',
  { timeout },
  async () => {
    const { points, missed, wrong } = await killAtCommands(twoToOnePlace, 7)

    expect(wrong).toEqual([])
    expect(missed.length).toBeLessThan(points / 5)
  },
)
