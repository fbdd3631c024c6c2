import { expect, test } from 'vitest'
import { untilEnded, wrongWithCompleted, wrongWithEnded } from '../support/kill/end-state.ts'
import { createNamer, openService, PART_SIZE } from '../support/kill/service.ts'
import type { Sent, Service } from '../support/kill/service.ts'
import { startHost } from '../support/kill/worker-processes.ts'

const options = { env: { STEVEDORE_MAX_CRASHES: '3' }, limits: { partsAtOnce: 1 } }

/** Kills worker after worker, each at the next of these requests, and leaves the last one alone. */
async function killAtEach(service: Service, sent: Sent, requests: readonly string[]): Promise<void> {
  const { fake, machine } = service
  const name = createNamer()
  for (const request of requests) {
    await using victim = startHost()
    const killed = Promise.withResolvers<void>()
    fake.hooks.onRequest = async (event) => {
      if (name(event) !== request || event.phase !== 'before-reply') return
      await victim.kill()
      killed.resolve()
    }
    await victim.start(machine.env)
    await Promise.race([killed.promise, untilEnded(service, sent, 30_000)])
    expect(await machine.stores.uploads.read(sent.id), request).not.toHaveProperty('endedAt')
  }
  delete fake.hooks.onRequest
  await using last = startHost()
  const stop = await last.start(machine.env)
  expect(await untilEnded(service, sent, 30_000)).toEqual([])
  await stop()
}

test.concurrent('row 2: an upload that kills every worker at the same part fails as poison, and leaves nothing behind', async () => {
  await using service = await openService(options)
  const sent = await service.upload(5 * PART_SIZE)

  await killAtEach(service, sent, ['putPart file 3 #1', 'putPart file 3 #2', 'putPart file 3 #3'])

  const record = await service.machine.stores.uploads.read(sent.id)
  expect(record?.error).toMatchObject({ class: 'poison' })
  expect(await wrongWithEnded(service, sent, 'failed')).toEqual([])
  expect(service.fake.ledger.filter(({ partNumber }) => partNumber === 4)).toEqual([])
})

test.concurrent('row 2: a part that killed two workers is tried a third time, and progress makes the count start anew', async () => {
  await using service = await openService(options)
  const sent = await service.upload(5 * PART_SIZE)

  await killAtEach(service, sent, [
    'putPart file 3 #1',
    'putPart file 3 #2',
    'putPart file 5 #1',
    'putPart file 5 #2',
  ])

  expect(await wrongWithCompleted(service, sent, 4)).toEqual([])
})

test.concurrent('row 2: an upload that kills every worker before its first part fails as poison as well', async () => {
  await using service = await openService(options)
  const sent = await service.upload(PART_SIZE)

  await killAtEach(service, sent, [
    'startFileDataUpload file 1 #1',
    'startFileDataUpload file 1 #2',
    'startFileDataUpload file 1 #3',
  ])

  const record = await service.machine.stores.uploads.read(sent.id)
  expect(record?.error).toMatchObject({ class: 'poison' })
  expect(await wrongWithEnded(service, sent, 'failed')).toEqual([])
})

test.concurrent('row 2: a version that is complete when its upload turns out to be poison counts as completed', async () => {
  await using service = await openService(options)
  const sent = await service.upload(PART_SIZE)

  await killAtEach(service, sent, ['getFile #1', 'getFile #2', 'getFile #3'])

  expect(await wrongWithCompleted(service, sent, 3)).toEqual([])
})
