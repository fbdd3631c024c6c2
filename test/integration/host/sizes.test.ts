import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KIB, openService } from '../../support/service.ts'
import { sturdy } from './worker.ts'

const PART = 64 * KIB
const TIB = 1024 ** 4

test('row 33: files of 0 and 1 bytes, of exactly so many parts, and of one byte more or less arrive whole', async () => {
  await using service = await openService({ env: sturdy, limits: { maxActiveUploads: 20 } })
  const sizes = [0, 1, PART - 1, PART, PART + 1, 3 * PART - 1, 3 * PART, 3 * PART + 1]
  const records = await Promise.all(
    sizes.map(async (size) => service.until(await service.upload({ name: `${size}.vrcw`, content: size }))),
  )

  const arrived = await Promise.all(
    records.map(
      async ({ version }) => (await service.fake.bytesOf(version?.remoteId ?? '', 1, 'file')).length,
    ),
  )
  expect(records.map(({ state, epoch }) => `${state} ${epoch}`)).toEqual(sizes.map(() => 'completed 1'))
  expect(arrived).toEqual(sizes)
  // The signature of each is one more.
  expect(records.map(({ partsTotal }) => partsTotal - 1)).toEqual([1, 1, 1, 1, 2, 3, 3, 4])
  expect(service.fake.violations).toEqual([])
})

test.each([
  { is: 'one byte more than 10,000 parts', size: 10_000 * PART + 1, partSize: PART, says: '10,000 parts' },
  { is: 'one byte more than 5 TiB', size: 5 * TIB + 1, partSize: undefined, says: 'at most 5 TiB' },
])('row 33: a file of $is is refused with what to do, and nothing is asked of VRChat', async (refused) => {
  await using service = await openService({ env: sturdy })
  const path = join(service.machine.folder, 'huge.vrcw')
  await writeFile(path, '')
  await truncate(path, refused.size)
  const id = await service.upload({ name: 'huge.vrcw', request: { partSize: refused.partSize } })
  const record = await service.until(id)

  expect(record).toMatchObject({ state: 'failed', epoch: 1, error: { class: 'bad-request' } })
  expect(record.error?.message).toContain(refused.says)
  expect(service.fake.ledger).toEqual([])
})
