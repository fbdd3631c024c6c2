import { expect, test } from 'vitest'
import { CHUNK, openDrive } from '../../support/cloudreve-service.ts'
import { storeKinds } from '../../fakes/cloudreve/stores/store.ts'

const folders = ['', 'relay/', ...storeKinds.map((kind) => `${kind}/`)]

test.for(folders)('one file of several chunks arrives whole, and an empty one: my/%s', async (folder) => {
  await using drive = await openDrive()
  const to = `cloudreve://my/${folder}`
  const ids = [
    await drive.upload({ name: 'several.bin', content: 4 * CHUNK + 17, to }),
    await drive.upload({ name: 'small.bin', content: 17, to }),
    await drive.upload({ name: 'empty.bin', content: 0, to }),
  ]
  for (const id of ids) {
    const record = await drive.until(id)
    expect(record).toMatchObject({ state: 'completed', bytesResent: 0 })
    await drive.assertArrived(record)
  }
  expect(drive.fake.violations).toEqual([])
  expect(drive.fake.placeholders()).toEqual([])
  expect(drive.fake.openSessions()).toEqual([])
})
