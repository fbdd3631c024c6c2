import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, mkdtempDisposable, open, readdir, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { assert, asyncProperty, nat } from 'fast-check'
import { expect, test } from 'vitest'
import { type FileSources, createFileSources, sliceOwnFile } from '#shared/sources/file.ts'

const GIB = 1024 ** 3

interface Source extends AsyncDisposable {
  readonly path: string
  readonly bytes: Buffer
  readonly sources: FileSources
}

const makeSource = async (size: number): Promise<Source> => {
  const folder = await mkdtempDisposable(join(tmpdir(), 'stevedore-slices-'))
  const path = join(folder.path, 'source')
  const bytes = randomBytes(size)
  await writeFile(path, bytes)
  return {
    path,
    bytes,
    sources: createFileSources([folder.path]),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

const sourceChanged = expect.objectContaining({ name: 'StartOver', class: 'source-changed' })

const descriptors = async (): Promise<number> => (await readdir('/dev/fd')).length

/** All chunks that came before the stream failed, and what it failed with. */
const drain = async (stream: Readable): Promise<{ received: number; error: unknown }> => {
  let received = 0
  try {
    for await (const chunk of stream) received += chunk.length
    return { received, error: undefined }
  } catch (error) {
    return { received, error }
  }
}

test('slices over all part borders are the bytes of the file, as often as they are opened', async () => {
  await using source = await makeSource(700_000)
  const expected = await source.sources.fingerprint(source.path)

  await assert(
    asyncProperty(nat(700_000), nat(700_000), async (one, other) => {
      const [offset, end] = [Math.min(one, other), Math.max(one, other)]
      const slice = source.sources.slice(source.path, expected, { offset, length: end - offset })

      expect(slice.length).toBe(end - offset)
      expect((await buffer(slice.open())).equals(source.bytes.subarray(offset, end))).toBe(true)
      expect((await buffer(slice.open())).equals(source.bytes.subarray(offset, end))).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test('an empty slice is an empty stream, also of an empty file', async () => {
  await using source = await makeSource(0)
  const expected = await source.sources.fingerprint(source.path)

  const slice = source.sources.slice(source.path, expected, { offset: 0, length: 0 })

  expect(await buffer(slice.open())).toHaveLength(0)
})

test('bytes beyond 4 GiB are those at that place', async () => {
  await using source = await makeSource(0)
  await using handle = await open(source.path, 'r+')
  await handle.write('far away', 5 * GIB)
  const expected = await source.sources.fingerprint(source.path)

  const slice = source.sources.slice(source.path, expected, { offset: 5 * GIB + 4, length: 4 })

  expect((await buffer(slice.open())).toString()).toBe('away')
})

test('a file that was written to since it was accepted gives no byte', async () => {
  await using source = await makeSource(1000)
  const expected = await source.sources.fingerprint(source.path)
  await utimes(source.path, 1, 1)

  const stream = source.sources.slice(source.path, expected, { offset: 0, length: 10 }).open()

  expect(await drain(stream)).toEqual({ received: 0, error: sourceChanged })
})

test.each([
  ['grows', (path: string) => appendFile(path, 'more')],
  ['shrinks', (path: string) => truncate(path, 1_000_000)],
  ['is written to', (path: string) => utimes(path, 1, 1)],
])('a file that %s while it is read never gives its last byte', async (_, change) => {
  await using source = await makeSource(4_000_000)
  const expected = await source.sources.fingerprint(source.path)

  const stream = source.sources.slice(source.path, expected, { offset: 0, length: 4_000_000 }).open()
  await once(stream, 'readable')
  await change(source.path)
  const { received, error } = await drain(stream)

  expect(error).toEqual(sourceChanged)
  expect(received).toBeLessThan(4_000_000)
})

test('a slice that reaches past the end of our own file fails instead of being short', async () => {
  await using source = await makeSource(1000)

  const whole = sliceOwnFile(source.path, { offset: 900, length: 100 })
  const past = sliceOwnFile(source.path, { offset: 900, length: 101 })

  expect((await buffer(whole.open())).equals(source.bytes.subarray(900))).toBe(true)
  expect(await drain(past.open())).toEqual({ received: 0, error: sourceChanged })
})

test('a slice reads no further ahead than its reader needs', async () => {
  await using source = await makeSource(4_000_000)
  const expected = await source.sources.fingerprint(source.path)

  const stream = source.sources.slice(source.path, expected, { offset: 0, length: 4_000_000 }).open()
  await once(stream, 'readable')
  // The file ends here now: what was not read yet can not be read any more.
  await truncate(source.path, 1)
  const { received } = await drain(stream)

  expect(received).toBeGreaterThan(0)
  expect(received).toBeLessThanOrEqual(1_000_000)
})

test('a destroyed stream lets go of its descriptor, whenever that happens', async () => {
  await using source = await makeSource(4_000_000)
  const expected = await source.sources.fingerprint(source.path)
  const slice = source.sources.slice(source.path, expected, { offset: 0, length: 4_000_000 })
  const before = await descriptors()

  const unread = slice.open()
  const opening = slice.open()
  opening.resume()
  const reading = slice.open()
  const closed = [unread, opening, reading].map((stream) => once(stream, 'close'))
  unread.destroy()
  opening.destroy()
  await once(reading, 'readable')
  const whileReading = await descriptors()
  reading.destroy()
  await Promise.all(closed)

  expect(whileReading).toBeGreaterThan(before)
  await expect.poll(descriptors).toBeLessThanOrEqual(before)
})
