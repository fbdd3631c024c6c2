import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { partJobId } from '#shared/queues.ts'
import { createGate, eventually, KIB, openService } from '../../support/service.ts'

const LOCK_MS = 6000
/** On a machine that is busy with something else. */
const WITHIN_MS = 45_000

test('row 14: a job that comes back while this process still runs it is run again, once and for good', async () => {
  await using service = await openService({
    env: { STEVEDORE_LOCK_MS: String(LOCK_MS), STEVEDORE_STALLED_MS: '200' },
  })
  const { fake, stores } = service
  const gates = [createGate(), createGate(), createGate()]
  let arrived = 0
  fake.hooks.onRequest = async ({ operation, phase, fileType, partNumber }) => {
    if (operation !== 'putPart' || phase !== 'arrival') return
    if (fileType !== 'file' || partNumber !== 1) return
    arrived += 1
    await gates[arrived - 1]?.passed
  }
  const id = await service.upload({ name: 'World', content: 100 * KIB })
  await eventually(() => arrived === 1, WITHIN_MS)

  // As if the event loop had stood still for too long; it is told that much later, when it renews its locks.
  const job = partJobId({ upload: id, epoch: 1, blob: 'file', number: 1 })
  const lock = `${stores.queues.parts.toKey(job)}:lock`
  await stores.redis.del(lock)
  await eventually(() => arrived === 2, WITHIN_MS)
  gates[0]?.open()
  // Longer than a lock lives that nobody renews.
  await sleep(LOCK_MS * 1.3)
  const meanwhile = { arrived, locks: await stores.redis.exists(lock) }
  for (const { open } of gates) open()
  const { state } = await service.until(id)

  expect({ meanwhile, state }).toEqual({ meanwhile: { arrived: 2, locks: 1 }, state: 'completed' })
  expect((await stores.queues.parts.getJob(job))?.attemptsMade).toBe(1)
  expect(fake.violations).toEqual([])
})
