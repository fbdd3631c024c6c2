import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { digestOnTheWay } from '#shared/providers/cloudreve/digest-on-the-way.ts'
import { failureOf, md5, randomBytes } from '../../../contract/support.ts'

const bytes = randomBytes(100_000, 'digest')

function streamOf(...chunks: Buffer[]): Readable {
  return Readable.from(chunks, { objectMode: false })
}

const halves = (): Readable => streamOf(bytes.subarray(0, 50_000), bytes.subarray(50_000))

test('what was read has its digest, and nothing less has', async () => {
  const digested = digestOnTheWay({ length: bytes.length, open: halves })
  expect(digested.md5()).toBeUndefined()

  expect((await buffer(digested.slice.open())).equals(bytes)).toBe(true)
  expect(digested.md5()).toBe(md5(bytes))

  const again = digested.slice.open()
  expect(digested.md5()).toBeUndefined()
  await buffer(again)
  expect(digested.md5()).toBe(md5(bytes))
})

test('an empty slice has the digest of nothing without being opened', () => {
  const digested = digestOnTheWay({ length: 0, open: () => Readable.from([]) })

  expect(digested.md5()).toBe(md5(Buffer.alloc(0)))
})

test.each([-1, 1])('a source with %i bytes too many has none', async (more) => {
  const digested = digestOnTheWay({ length: bytes.length - more, open: halves })

  await buffer(digested.slice.open())

  expect(digested.md5()).toBeUndefined()
})

test('a source that breaks says so to whoever reads, and has no digest', async () => {
  const broken = new Error('disk gone')
  const source = new Readable({ read: () => undefined })
  const digested = digestOnTheWay({ length: 9, open: () => source })
  const stream = digested.slice.open()

  source.push('some')
  source.destroy(broken)

  expect(await failureOf(buffer(stream))).toBe(broken)
  expect(digested.md5()).toBeUndefined()
})
