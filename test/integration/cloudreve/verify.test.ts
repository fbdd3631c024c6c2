import { expect, test } from 'vitest'
import { CHUNK, openDrive } from '../../support/cloudreve-service.ts'

const verify = { request: { verify: 'download' }, verify: 'download' } as const

test.for(['', 's3/', 'onedrive/'])(
  'what was asked to be read back is read back, an empty file too: my/%s',
  async (folder) => {
    await using drive = await openDrive()
    for (const [name, content] of [
      ['large.bin', 2 * CHUNK + 3],
      ['empty.bin', 0],
    ] as const) {
      const id = await drive.upload({ ...verify, name, content, to: `cloudreve://my/${folder}` })
      const record = await drive.until(id)
      expect(record).toMatchObject({ state: 'completed', version: { md5: record.hashes?.md5 } })
    }
    expect(drive.requests('download').length + drive.requests('downloadUrl').length).toBeGreaterThan(0)
  },
)

test('row 25: bytes that a policy without digests stores wrong are never done when they are read back', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 'sendChunk', action: 'store-flipped', nth: 2 })
  const record = await drive.until(await drive.upload({ ...verify, name: 'a.bin', content: 3 * CHUNK }))
  expect(record).toMatchObject({ state: 'failed', error: { class: 'verify-failed' } })
})

test('row 25: a store that says other bytes than were sent is sent them again, and the file is whole', async () => {
  await using drive = await openDrive()
  drive.fake.faults.add({ operation: 's3.putPart', action: 'store-flipped', nth: 2 })
  const record = await drive.until(
    await drive.upload({ name: 'a.bin', content: 3 * CHUNK, to: 'cloudreve://my/s3/' }),
  )
  expect(record).toMatchObject({ state: 'completed', bytesResent: CHUNK })
  await drive.assertArrived(record)
})

test('row 33: sizes around the chunk size, and one byte', async () => {
  await using drive = await openDrive()
  for (const size of [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]) {
    const id = await drive.upload({ name: `${size}.bin`, content: size, to: 'cloudreve://my/s3/' })
    const record = await drive.until(id)
    expect(record).toMatchObject({ state: 'completed', partsTotal: Math.ceil(size / CHUNK) })
    await drive.assertArrived(record)
  }
  expect(drive.fake.violations).toEqual([])
})
