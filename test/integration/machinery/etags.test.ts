import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { KIB, openService } from '../../support/service.ts'

test('equal parts are both sent, and both of their equal ETags are listed', async () => {
  await using service = await openService()
  const part = randomBytes(64 * KIB)
  const content = Buffer.concat([part, part, randomBytes(64 * KIB), part])
  const record = await service.until(await service.upload({ name: 'a.vrcw', content }))

  expect(record).toMatchObject({ state: 'completed' })
  const sent = service.requests('putPart').filter(({ fileType }) => fileType === 'file')
  expect(sent.map(({ partNumber = 0 }) => partNumber).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
  const md5s = [0, 1, 2, 3].map((index) =>
    createHash('md5')
      .update(content.subarray(index * 64 * KIB, (index + 1) * 64 * KIB))
      .digest('hex'),
  )
  const [file, signature] = service.requests('finishFileDataUpload')
  expect(file?.etags).toEqual(md5s)
  expect(new Set(md5s).size).toBe(2)
  // A simple blob is finished without any.
  expect(signature?.etags).toBeUndefined()
  expect(service.fake.violations).toEqual([])
})

test('ETags are listed in part order, also when the parts arrive the other way round', async () => {
  await using service = await openService({ limits: { partsAtOnce: 4 } })
  const order: number[] = []
  service.fake.hooks.onRequest = async ({ operation, phase, partNumber = 0 }) => {
    if (operation !== 'putPart' || partNumber === 0) return
    if (phase === 'arrival') await new Promise((resolve) => void setTimeout(resolve, 400 - partNumber * 90))
    if (phase === 'after-reply') order.push(partNumber)
  }
  const content = randomBytes(4 * 64 * KIB)
  await service.until(await service.upload({ name: 'a.vrcw', content }))

  expect(order).not.toEqual(order.toSorted((a, b) => a - b))
  expect(service.requests('finishFileDataUpload')[0]?.etags).toEqual(
    [0, 1, 2, 3].map((index) =>
      createHash('md5')
        .update(content.subarray(index * 64 * KIB, (index + 1) * 64 * KIB))
        .digest('hex'),
    ),
  )
  expect(service.fake.violations).toEqual([])
})

test.each(['wrong-etag', 'no-etag', 'store-flipped', 'store-short'] as const)(
  'rows 24, 25: a part answered once with %s is sent once more, alone',
  async (action) => {
    await using service = await openService()
    service.fake.faults.add({ operation: 'putPart', where: { partNumber: 2 }, nth: 1, action })
    const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))

    expect(record).toMatchObject({ state: 'completed', epoch: 1 })
    expect(record.bytesResent).toBe(64 * KIB)
    const sent = service.requests('putPart').filter(({ fileType }) => fileType === 'file')
    expect(sent.map(({ partNumber = 0 }) => partNumber).toSorted((a, b) => a - b)).toEqual([1, 2, 2, 3, 4])
    expect(service.fake.violations).toEqual([])
  },
)

test(
  'row 24: an ETag that stays wrong uses up the attempts, and the failure names etagCheck',
  { timeout: 60_000 },
  async () => {
    await using service = await openService()
    service.fake.faults.add({ operation: 'putPart', where: { partNumber: 2 }, action: 'wrong-etag' })
    const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))

    expect(record).toMatchObject({ state: 'failed', epoch: 1, error: { class: 'etag-mismatch' } })
    expect(record.error?.message).toContain('etagCheck')
    const sent = service.requests('putPart').filter(({ partNumber }) => partNumber === 2)
    // Five attempts, each with one sending more.
    expect(sent).toHaveLength(10)
    expect(service.requests('finishFileDataUpload')).toEqual([])
    expect(service.fake.files).toEqual([])
  },
)

test('row 24: with etagCheck: opaque, an ETag that is no MD5 is taken as it is', async () => {
  await using service = await openService({ settings: { etagCheck: 'opaque' } })
  service.fake.faults.add({ operation: 'putPart', where: { fileType: 'signature' }, action: 'wrong-etag' })
  const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))
  expect(record).toMatchObject({ state: 'completed', bytesResent: 0 })
})

test('row 24: a weak ETag is the MD5 all the same, and goes to finish without its mark', async () => {
  await using service = await openService()
  service.fake.faults.add({ operation: 'putPart', action: 'weak-etag' })
  const record = await service.until(await service.upload({ name: 'a.vrcw', content: 200 * KIB }))
  expect(record).toMatchObject({ state: 'completed', bytesResent: 0 })
  expect(JSON.stringify(service.requests('finishFileDataUpload')[0]?.etags)).not.toMatch(/W\/|\\"/)
  expect(service.fake.violations).toEqual([])
})
