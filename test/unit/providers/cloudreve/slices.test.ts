import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { Slice } from '#shared/providers/provider.ts'
import { framed, tailOf } from '#shared/providers/cloudreve/transports/slices.ts'
import { failureOf } from '../../../contract/support.ts'

const sliceOf = (...chunks: string[]): Slice => ({
  length: chunks.join('').length,
  open: () =>
    Readable.from(
      chunks.map((chunk) => Buffer.from(chunk)),
      { objectMode: false },
    ),
})

const read = async ({ open }: Slice): Promise<string> => (await buffer(open())).toString()

test.each([
  [0, 'abcdefg'],
  [1, 'bcdefg'],
  [3, 'defg'],
  [4, 'efg'],
  [7, ''],
])('without its first %i bytes', async (skip, rest) => {
  const tail = tailOf(sliceOf('abc', 'd', 'efg'), skip)

  expect([tail.length, await read(tail), await read(tail)]).toEqual([rest.length, rest, rest])
})

test.each([[['abc', 'd']], [['x']], [[]]])('%j in a frame', async (chunks) => {
  const slice = framed(sliceOf(...chunks), Buffer.from('<'), Buffer.from('>>'))

  const text = `<${chunks.join('')}>>`
  expect([slice.length, await read(slice), await read(slice)]).toEqual([text.length, text, text])
})

test('an empty slice is framed without being opened', async () => {
  const never: Slice = { length: 0, open: () => Readable.from(['more than nothing']) }

  expect(await read(framed(never, Buffer.from('<'), Buffer.from('>')))).toBe('<>')
})

test.each([
  ['in a frame', (slice: Slice) => framed(slice, Buffer.from('<'), Buffer.from('>'))],
  ['behind its beginning', (slice: Slice) => tailOf(slice, 1)],
])('what breaks %s breaks for the reader, with its own error', async (_, wrap) => {
  const broken = new Error('disk gone')
  const source = new Readable({ read: () => undefined })
  const stream = wrap({ length: 3, open: () => source }).open()

  source.destroy(broken)

  expect(await failureOf(buffer(stream))).toBe(broken)
})
