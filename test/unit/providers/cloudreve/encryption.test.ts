import { createCipheriv } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { FatalError } from '#shared/errors.ts'
import { encrypted } from '#shared/providers/cloudreve/encryption.ts'
import type { Slice } from '#shared/providers/provider.ts'
import { failureOf, randomBytes } from '../../../contract/support.ts'

const KEY = randomBytes(32, 'key')
const given = (iv: Buffer) => ({ key: KEY.toString('base64'), iv: iv.toString('base64') })

const ivs = {
  'of the usual kind': randomBytes(16, 'iv'),
  'whose low 32 bits overflow': Buffer.from(`${'11'.repeat(12)}fffffffe`, 'hex'),
  'whose low 64 bits overflow': Buffer.from(`${'22'.repeat(8)}${'ff'.repeat(7)}fe`, 'hex'),
  'that wraps at 128 bits': Buffer.from(`${'ff'.repeat(15)}fd`, 'hex'),
}

/** What any AES-256-CTR makes of the whole file in one go: Cloudreve's reader decrypts with the same. */
function wholeFile(plain: Buffer, iv: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-ctr', KEY, iv)
  return Buffer.concat([cipher.update(plain), cipher.final()])
}

/** The bytes in chunks of `step`, whatever blocks they cut. */
function sliceOf(bytes: Buffer, step = 7): Slice {
  function* chunks(): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
  }
  return { length: bytes.length, open: () => Readable.from(chunks(), { objectMode: false }) }
}

const PLAIN = randomBytes(333, 'plain')

test.each(Object.entries(ivs))(
  'parts of any size join to the whole file, with a counter %s',
  async (_, iv) => {
    const whole = wholeFile(PLAIN, iv)

    for (const partSize of [1, 5, 15, 16, 17, 32, 100, 333, 1000]) {
      const parts: Buffer[] = []
      for (let offset = 0; offset < PLAIN.length; offset += partSize) {
        const slice = sliceOf(PLAIN.subarray(offset, offset + partSize))
        parts.push(await buffer(encrypted(slice, given(iv), offset).open()))
      }
      expect(Buffer.concat(parts).equals(whole), `parts of ${String(partSize)}`).toBe(true)
    }
  },
)

test('a part far into a huge file goes on beyond a counter of 32 bits', async () => {
  const iv = Buffer.alloc(16)
  const blocks = 2 ** 33 + 3
  const counter = Buffer.from(blocks.toString(16).padStart(32, '0'), 'hex')

  const sent = await buffer(encrypted(sliceOf(PLAIN), given(iv), blocks * 16 + 9).open())

  expect(sent.equals(wholeFile(Buffer.concat([Buffer.alloc(9), PLAIN]), counter).subarray(9))).toBe(true)
})

test.each([1, 16, 63, 64, 1000])('chunks of %i bytes of the source make no difference', async (step) => {
  const iv = ivs['of the usual kind']
  const slice = encrypted(sliceOf(PLAIN, step), given(iv), 40)

  expect(slice.length).toBe(PLAIN.length)
  const again = [await buffer(slice.open()), await buffer(slice.open())]

  const expected = wholeFile(Buffer.concat([Buffer.alloc(40), PLAIN]), iv).subarray(40)
  expect(again.map((bytes) => bytes.equals(expected))).toEqual([true, true])
})

test('a source that breaks breaks what is read of it, with its own error', async () => {
  const broken = new Error('disk gone')
  const source = new Readable({ read: () => undefined })
  const stream = encrypted({ length: 9, open: () => source }, given(Buffer.alloc(16)), 0).open()

  source.destroy(broken)

  expect(await failureOf(buffer(stream))).toBe(broken)
})

test('who stops reading ends the source', async () => {
  const source = new Readable({ read: () => undefined })
  const stream = encrypted({ length: 9, open: () => source }, given(Buffer.alloc(16)), 0).open()

  stream.destroy()
  await once(stream, 'close')

  await expect.poll(() => source.destroyed).toBe(true)
})

test.each([
  { what: 'key', key: 'c2hvcnQ=', iv: Buffer.alloc(16).toString('base64') },
  { what: 'IV', key: KEY.toString('base64'), iv: 'c2hvcnQ=' },
])('the $what is refused when it is too short, and not shown', ({ what, ...key }) => {
  const encrypting = () => encrypted(sliceOf(PLAIN), key, 0)

  expect(encrypting).toThrow(FatalError)
  expect(encrypting).toThrow(
    `The ${what} that the site wants the file encrypted with has 5 bytes instead of ${what === 'key' ? '32' : '16'}`,
  )
})
