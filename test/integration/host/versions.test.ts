import { expect, test, vi } from 'vitest'
import { uploadJobId } from '#shared/queues.ts'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { sturdy } from './worker.ts'

// Each waits for processes to start, for locks to end and for pauses, one after the other.
vi.setConfig({ testTimeout: 180_000 })

/** Writes into a record as a Stevedore would that knows more than this one. */
async function write(
  { stores }: Service,
  id: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  await stores.redis.hset(stores.keys.upload(id), fields)
}

const raw = async ({ stores }: Service, id: string): Promise<Record<string, string>> =>
  stores.redis.hgetall(stores.keys.upload(id))

const jobOf = async ({ stores }: Service, id: string) => stores.queues.uploads.getJob(uploadJobId(id, 1))

const newer: Record<string, (record: Readonly<Record<string, string>>) => Record<string, string>> = {
  'another format': () => ({ v: '2' }),
  'a state that this one does not know': () => ({ state: 'spooling' }),
  'a request with a field more': ({ request = '{}' }) => ({
    request: JSON.stringify({ ...JSON.parse(request), compress: 'brotli' }),
  }),
  'a provider that this one does not have': () => ({ provider: 'pigeon' }),
}

test.concurrent.for(Object.entries(newer))(
  'row 45: a running upload in %s is parked with the reason, and goes on when its own version is back',
  async ([, change]) => {
    await using service = await openService({ env: sturdy, workers: 0 })
    const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
    const [started] = await service.stores.uploads.dispatch(1)
    const before = await raw(service, id)
    const changed = change(before)
    await write(service, id, changed)
    await service.stores.queues.addUploads(started === undefined ? [] : [started])

    const worker = await service.startWorker()
    const parked = await eventually(async () => {
      const job = await jobOf(service, id)
      return (await job?.isDelayed()) === true && job
    })
    const { waitingFor, ...rest } = await raw(service, id)
    const other = await service.until(await service.upload({ name: 'b.vrcw', content: 10 }))
    await worker[Symbol.asyncDispose]()

    expect(waitingFor).toMatch(/can not be read|can not read it|no provider called pigeon/)
    expect(rest).toEqual({ ...before, ...changed })
    expect(parked.attemptsMade).toBe(0)
    expect(service.requests('createFile').filter(({ status }) => status === 200)).toHaveLength(1)
    expect(other.state).toBe('completed')

    // The newer version is back; or this one, after a rollback, finds what it wrote itself.
    const own = Object.keys(changed).map((name) => [name, before[name] ?? ''] as const)
    await write(service, id, Object.fromEntries(own))
    await parked.promote()
    await service.startWorker()
    expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  },
)

test.concurrent('row 45: what a newer version wrote beside what this one knows survives all of an upload', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  const { restarts = '{}' } = await raw(service, id)
  await write(service, id, { colour: 'green', 'limits/2': '{"a":1}', restarts, pausedBy: '' })
  await service.startWorker()
  await service.until(id)
  expect(await raw(service, id)).toMatchObject({
    state: 'completed',
    colour: 'green',
    'limits/2': '{"a":1}',
    pausedBy: '',
  })
})

test.concurrent('row 45: an upload whose jobs have data of an unknown shape gets jobs of its own, and others go on', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  const { uploads, parts } = service.stores.queues
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await service.stores.uploads.dispatch(1)
  // Of a version whose jobs have other data.
  await uploads.add('a.vrcw', JSON.parse('{"uploads":["upl_1"],"v":2}'), {
    jobId: uploadJobId(id, 1),
    attempts: 10,
  })
  await parts.add('part', JSON.parse('{"range":"0-5"}'), { jobId: 'of-another-version', attempts: 5 })

  await service.startWorker()

  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  const foreign = await eventually(async () => {
    const job = await parts.getJob('of-another-version')
    return (await job?.isFailed()) === true && job
  })
  expect(foreign).toMatchObject({ attemptsMade: 1, failedReason: expect.stringContaining('can not be read') })
})
