import { createHash } from 'node:crypto'
import { array, assert, integer, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { createPartMd5s } from '#shared/hashing/md5.ts'

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

test('parts are cut at their size, however the bytes arrive', () => {
  const chunks = array(uint8Array({ maxLength: 40 }), { maxLength: 8 })
  assert(
    property(chunks, integer({ min: 1, max: 50 }), (pieces, partSize) => {
      const bytes = Buffer.concat(pieces)
      const expected = [md5(bytes.subarray(0, partSize))]
      for (let at = partSize; at < bytes.length; at += partSize) {
        expected.push(md5(bytes.subarray(at, at + partSize)))
      }

      const parts = createPartMd5s(partSize)
      for (const piece of pieces) parts.update(piece)

      expect(parts.end()).toEqual(expected)
    }),
  )
})
