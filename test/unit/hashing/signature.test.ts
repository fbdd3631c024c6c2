import { createHash } from 'node:crypto'
import { assert, nat, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import {
  createEntryWriter,
  rollsum,
  signatureHeader,
  signatureOrigin,
  signatureSize,
} from '#shared/hashing/signature.ts'

const SIZES = [0, 1, 2047, 2048, 2049, 4096, 700_001]

/** The definition, one byte after the other. */
const plainRollsum = (bytes: Uint8Array): number => {
  let [sum, sumOfSums] = [0, 0]
  for (const byte of bytes) {
    sum = (sum + byte + 31) % 65_536
    sumOfSums = (sumOfSums + sum) % 65_536
  }
  return sumOfSums * 65_536 + sum
}

test('the weak sum is the one of its definition, from any byte to any other', () => {
  assert(
    property(uint8Array({ maxLength: 5000 }), nat(5000), (bytes, from) => {
      const start = Math.min(from, bytes.length)

      expect(rollsum(bytes, start, bytes.length)).toBe(plainRollsum(bytes.subarray(start)))
    }),
  )
  const most = new Uint8Array(2048).fill(255)
  expect(rollsum(most, 0, 2048)).toBe(plainRollsum(most))
})

// Made with librsync 2.3.2: rdiff -H blake2 -R rollsum -b 2048 -S 32 signature
test.each([
  ['nothing', new Uint8Array(), 'wFTc7oMFDcoZnqdLNiwHBw==', '727301370000080000000020'],
  ['abc', Buffer.from('abc'), 'BH8coUy05n4By4kWk+AwXA==', '72730137000008000000002003040183bddd813c'],
  [
    '2048 zero bytes',
    new Uint8Array(2048),
    'F2ppEET+ErE+F4ZrVBD3Bw==',
    '7273013700000800000000207c00f800200823e5',
  ],
  [
    '2049 counted bytes',
    Uint8Array.from({ length: 2049 }, (_, at) => at % 256),
    'YL+3iCA6AYdEXyQw1/4m5w==',
    '727301370000080000000020d000f4006ed9bf54',
  ],
])('the signature of %s is the one that librsync makes', async (_, bytes, md5, begin) => {
  const entries = Buffer.alloc(signatureSize(bytes.length))

  const written = (await createEntryWriter())(bytes, entries)
  const signature = Buffer.concat([signatureHeader(), entries.subarray(0, written)])

  expect(signature.subarray(0, 20).toString('hex')).toBe(begin)
  expect(createHash('md5').update(signature).digest('base64')).toBe(md5)
})

test('header and entries have exactly the bytes that the size foretells', async () => {
  const writeEntries = await createEntryWriter()

  for (const size of SIZES) {
    const written = writeEntries(new Uint8Array(size), Buffer.alloc(signatureSize(size)))

    expect(signatureHeader().length + written).toBe(signatureSize(size))
  }
})

test('any stretch of a signature comes from the blocks that it stands for, and from no others', async () => {
  const writeEntries = await createEntryWriter()
  const make = (bytes: Uint8Array, header: boolean): Buffer => {
    const entries = Buffer.alloc(signatureSize(bytes.length))
    const written = entries.subarray(0, writeEntries(bytes, entries))
    return header ? Buffer.concat([signatureHeader(), written]) : written
  }

  for (const size of SIZES) {
    const source = Uint8Array.from({ length: size }, (_, at) => (at * 7919) % 251)
    const signature = make(source, true)
    assert(
      property(nat(signature.length), nat(signature.length), (one, other) => {
        const [offset, end] = [Math.min(one, other), Math.max(one, other)]

        const { from, to, header, skip } = signatureOrigin(size, { offset, length: end - offset })
        const made = make(source.subarray(from, to), header).subarray(skip, skip + end - offset)

        expect(made.equals(signature.subarray(offset, end))).toBe(true)
        expect(to - from).toBeLessThanOrEqual((Math.ceil((end - offset) / 36) + 1) * 2048)
      }),
      { numRuns: 50 },
    )
  }
})
