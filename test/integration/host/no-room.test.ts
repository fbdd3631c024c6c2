import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { uploadJobId } from '#shared/queues.ts'
import { eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { startWorker, sturdy } from './worker.ts'

// Each waits for processes to start, for locks to end and for pauses, one after the other.
vi.setConfig({ testTimeout: 180_000 })

const signatures = ({ machine }: Service): string => join(machine.config.dataDir, 'signatures')

/** Puts a file where the folder of the signatures would be: nobody may write there, not even root. */
async function blockSignatures(service: Service): Promise<void> {
  await mkdir(service.machine.config.dataDir, { recursive: true })
  await writeFile(signatures(service), '')
}

/** How often the upload's job failed, as BullMQ counts it. */
async function attemptsOf({ stores }: Service, id: string): Promise<number | undefined> {
  return (await stores.queues.uploads.getJob(uploadJobId(id, 1)))?.attemptsMade
}

/** Waits until the upload says so. */
const untilWaiting = async ({ machine }: Service, id: string, reason: string): Promise<unknown> =>
  machine.until(id, ({ waitingFor = '' }) => waitingFor.includes(reason))

test.concurrent('row 32: without a data directory to write to, uploads wait and say why, and go on by themselves', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  await blockSignatures(service)
  await service.startWorker()
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await untilWaiting(service, id, 'can not be used')
  const alive = join(service.machine.config.dataDir, 'worker.alive')
  const told = await eventually(async () => {
    const text = await readFile(alive, 'utf8')
    return text.includes('can not be used') && text
  })
  // Long enough for a second try in vain.
  const job = async () => service.stores.queues.uploads.getJob(uploadJobId(id, 1))
  await eventually(async () => ((await job())?.attemptsStarted ?? 0) >= 2)
  const attempts = await attemptsOf(service, id)
  expect(await service.read(id)).toMatchObject({ state: 'preparing', epoch: 1 })

  await rm(signatures(service))
  const record = await service.until(id)

  expect(told).toContain(signatures(service))
  expect(attempts).toBe(0)
  expect(record).toMatchObject({ state: 'completed', epoch: 1 })
  expect(record.waitingFor).toBeUndefined()
  expect(service.fake.violations).toEqual([])
})

test.concurrent('row 32: an upload that waits for room waits no longer than its deadline, and then fails for that', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  await blockSignatures(service)
  await service.startWorker()
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB, deadlineMs: 8000 })
  await untilWaiting(service, id, 'can not be used')

  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'failed', epoch: 1, error: { class: 'deadline' } })
  expect(service.fake.files).toEqual([])
})

test.concurrent('row 32: where a write fails half-way, only what does not fit waits, and the worker lives', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  const full = await startWorker({ ulimit: '-f 1', env: service.machine.env })
  await using _full = full
  const [big, small] = [
    await service.upload({ name: 'big.vrcw', content: 300 * KIB }),
    await service.upload({ name: 'small.vrcw', content: 10 * KIB }),
  ]
  await full.untilSaid('raise `ulimit -f`')
  await untilWaiting(service, big, 'raise `ulimit -f`')
  expect(await service.until(small)).toMatchObject({ state: 'completed' })
  expect(await service.read(big)).toMatchObject({ state: 'preparing', epoch: 1 })
  expect(await attemptsOf(service, big)).toBe(0)
  full.signal('SIGTERM')
  expect(await full.ended).toMatchObject({ code: 0 })

  await service.startWorker()

  expect(await service.until(big)).toMatchObject({ state: 'completed', epoch: 1 })
  expect(service.fake.openVersions()).toEqual([])
})

test.concurrent('row 32: without descriptors for hashing, an upload waits, and goes on when there are some again', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  await using worker = await startWorker({
    ulimit: '-n 200',
    preload: 'hoards-descriptors',
    env: service.machine.env,
  })
  worker.signal('SIGUSR2')
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await untilWaiting(service, id, 'too many files')
  expect(await attemptsOf(service, id)).toBe(0)
  expect(worker.said()).toContain('too many files')

  worker.signal('SIGUSR2')

  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1 })
  expect(service.fake.violations).toEqual([])
})

test.concurrent('row 32: without descriptors in mid-transfer, parts wait, and no attempt is used up', async () => {
  await using service = await openService({ env: sturdy, workers: 0, limits: { partsAtOnce: 1 } })
  await using worker = await startWorker({
    ulimit: '-n 200',
    preload: 'hoards-descriptors',
    env: service.machine.env,
  })
  service.fake.hooks.onRequest = ({ operation, partNumber, phase }) => {
    if (operation !== 'putPart' || partNumber !== 2 || phase !== 'arrival') return
    delete service.fake.hooks.onRequest
    worker.signal('SIGUSR2')
  }
  const id = await service.upload({ name: 'a.vrcw', content: 300 * KIB })
  await untilWaiting(service, id, 'too many files')
  const before = await service.read(id)

  worker.signal('SIGUSR2')

  expect(before).toMatchObject({ state: 'transferring', epoch: 1 })
  expect(await service.until(id)).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
  const parts = await service.stores.queues.parts.getCompleted()
  expect(parts.map(({ attemptsMade }) => attemptsMade)).toEqual(parts.map(() => 1))
  expect(service.fake.violations).toEqual([])
})
