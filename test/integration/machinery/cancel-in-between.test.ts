import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHasher } from '#shared/hashing/hasher.ts'
import { uploadJobId } from '#shared/queues.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { createFileSources } from '#shared/sources/file.ts'
import { createContents } from '#worker/contents.ts'
import { createSender } from '#worker/send.ts'
import { createStops } from '#worker/stops.ts'
import { createOrchestrator } from '#worker/upload.ts'
import { pino } from 'pino'
import { openService } from '../../support/service.ts'

test('row 43: a cancel that is heard after a step was written and before it is told so is obeyed', async () => {
  await using service = await openService({ workers: 0 })
  const { machine, stores } = service
  await using hasher = createHasher({ roots: [machine.folder] })
  const folder = join(machine.folder, 'signatures')
  const contents = createContents({ sources: createFileSources([machine.folder]), hasher, folder })
  const stops = createStops(stores)
  const id = await service.upload({ name: 'a.vrcw', content: 10 })
  await stores.uploads.dispatch(1)

  const transition: typeof stores.uploads.transition = async (record, patch, also) => {
    const next: UploadRecord = await stores.uploads.transition(record, patch, also)
    if (patch.state === 'finishing' && next.blob === 0) {
      await stores.uploads.want(id, 'cancel')
      stops.heard(id)
    }
    return next
  }
  const sender = createSender({ ...stores, contents, atOnce: 1 })
  const uploads = { ...stores.uploads, transition }
  const log = pino({ level: 'silent' })
  const drive = createOrchestrator({ ...stores, uploads, contents, sender, stops, log, maxCrashes: 5 })
  const never = new AbortController().signal
  const running = { lastAttempt: false, signal: never, stopping: never }
  const job = { assertHeld: async () => {}, dropWaitingParts: async () => {}, jobId: uploadJobId(id, 1) }

  await expect(drive({ upload: id }, { ...running, ...job })).rejects.toThrow('cancelled')
  expect(service.requests('finishFileDataUpload')).toEqual([])
  expect(service.fake.files).toEqual([])
})
