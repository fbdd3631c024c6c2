import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { untilEnded, wrongWithCompleted } from '../../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../../support/kill/service.ts'
import { spawnWorker } from '../../support/kill/worker-processes.ts'
import { startWorker, sturdy } from './worker.ts'

// Each waits for processes to start, for locks to end and for pauses, one after the other.
vi.setConfig({ testTimeout: 180_000 })

/** Of the tests' 1.5 s locks, more than three. */
const DEAF_MS = 5000

test.concurrent.for(['putPart file 2 #1', 'finishFileDataUpload file #1', 'getFile #1'])(
  'row 47: a worker whose event loop stands still at %s loses its jobs, does no harm when it is back, and says so',
  async (request) => {
    const fake = { storageBytesPerSecond: 4 * PART_SIZE, processingMs: 200 }
    await using service = await openService({ env: sturdy, fake })
    const { env } = service.machine
    await using deaf = await startWorker({
      preload: 'deaf-for-a-while',
      env: { ...env, TEST_DEAF_MS: String(DEAF_MS) },
    })
    const name = createNamer()
    const stopped = Promise.withResolvers<void>()
    service.fake.hooks.onRequest = (event) => {
      if (name(event) !== request || event.phase !== 'before-reply') return
      delete service.fake.hooks.onRequest
      deaf.signal('SIGUSR2')
      stopped.resolve()
    }
    const sent = await service.upload(4 * PART_SIZE)
    await stopped.promise
    await using _other = await spawnWorker(env)

    expect(await untilEnded(service, sent, 60_000)).toEqual([])
    await deaf.untilSaid('the event loop stood still for')
    // What the late one still has to say is refused, not only late.
    await sleep(1000)
    expect(await wrongWithCompleted(service, sent, 1)).toEqual([])
    deaf.signal('SIGTERM')
    expect(await deaf.ended).toMatchObject({ code: 0 })
  },
)
