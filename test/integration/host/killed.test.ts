import { readdir, truncate, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../../support/kill/end-state.ts'
import { openService as openKillService, PART_SIZE } from '../../support/kill/service.ts'
import { spawnWorker } from '../../support/kill/worker-processes.ts'
import { createGate, eventually, KIB, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { sturdy } from './worker.ts'

// Each waits for processes to start, for locks to end and for pauses, one after the other.
vi.setConfig({ testTimeout: 180_000 })

const MIB = 1024 * KIB

/** Files that this machine keeps for uploads, such as signatures. */
async function keptFiles({ machine }: Service): Promise<string[]> {
  const folder = join(machine.config.dataDir, 'signatures')
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  return names.filter((name) => name.includes('.sig'))
}

test.concurrent('row 1: a worker may be killed while it hashes, and another one completes it and leaves nothing behind', async () => {
  await using service = await openService({ env: sturdy, workers: 0 })
  await using victim = await spawnWorker(service.machine.env)
  // It comes no further than this, however late the kill.
  const gate = createGate()
  service.fake.hooks.onRequest = async () => gate.passed
  // Holes, which take as long to hash as bytes.
  const size = 96 * MIB
  const path = join(service.machine.folder, 'a.vrcw')
  await writeFile(path, '')
  await truncate(path, size)
  const id = await service.upload({ name: 'a.vrcw', request: { partSize: 32 * MIB } })
  await eventually(async () => (await keptFiles(service)).length > 0)
  await victim.kill()
  gate.open()

  await service.startWorker()
  const record = await service.until(id)

  expect(record).toMatchObject({
    state: 'completed',
    epoch: 1,
    version: { number: 1, md5: createHash('md5').update(Buffer.alloc(size)).digest('hex') },
  })
  await eventually(async () => (await keptFiles(service)).length === 0)
  expect(service.fake.violations).toEqual([])
})

test.concurrent.for(['arrival', 'before-reply', 'after-reply'] as const)(
  'row 1: a worker may be killed while it reads the bytes back (%s), and another one completes it',
  async (phase) => {
    await using service = await openKillService({ env: sturdy, fake: { processingMs: 200 } })
    const { env } = service.machine
    await using victim = await spawnWorker(env)
    const reached = Promise.withResolvers<void>()
    const killed = Promise.withResolvers<void>()
    service.fake.hooks.onRequest = async (event) => {
      if (event.operation !== 'downloadFileVersion' || event.phase !== phase) return
      delete service.fake.hooks.onRequest
      reached.resolve()
      await killed.promise
    }
    const sent = await service.upload(4 * PART_SIZE + 17 * KIB, 'world.vrcw', { verify: 'download' })
    await reached.promise
    await victim.kill()
    killed.resolve()
    await using _other = await spawnWorker(env)

    expect(await untilEnded(service, sent, 60_000)).toEqual([])
    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
  },
)
