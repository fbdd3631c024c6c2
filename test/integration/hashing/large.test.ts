import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtempDisposable, open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHasher } from '#shared/hashing/hasher.ts'
import { signatureSize } from '#shared/hashing/signature.ts'
import { createFileSources } from '#shared/sources/file.ts'
import { rdiffSignature } from '../../support/rdiff.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const SIZE = 4 * GIB + 3 * MIB + 77
const PART = 100 * MIB

/** Mostly holes, and so small on the disk: random bytes where 31 and 32 bit numbers end, and at both ends. */
const writeLargeFile = async (path: string): Promise<void> => {
  await using handle = await open(path, 'w')
  for (const offset of [0, 2 * GIB - MIB - 3, 4 * GIB - MIB - 5, SIZE - MIB]) {
    await handle.write(randomBytes(MIB * 2 - 100), 0, Math.min(MIB * 2 - 100, SIZE - offset), offset)
  }
}

/** MD5s of the whole and of its parts, made the plain way. */
const plainMd5s = async (path: string): Promise<{ md5: string; parts: string[] }> => {
  const whole = createHash('md5')
  const parts: string[] = []
  for (let start = 0; start < SIZE; start += PART) {
    const part = createHash('md5')
    for await (const chunk of createReadStream(path, { start, end: start + PART - 1, highWaterMark: MIB })) {
      whole.update(chunk)
      part.update(chunk)
    }
    parts.push(part.digest('hex'))
  }
  return { md5: whole.digest('hex'), parts }
}

/** The most memory that this process had, beyond what it had before. */
const watchMemory = (): { growth: () => number } => {
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 20).unref()
  return {
    growth: () => {
      clearInterval(timer)
      return most - before
    },
  }
}

test('a file beyond 4 GiB is hashed whole and right, in memory that does not grow with it', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'stevedore-large-'))
  await using hasher = createHasher({ threads: 1 })
  const path = join(folder.path, 'source')
  const ours = join(folder.path, 'ours')
  const theirs = join(folder.path, 'theirs')
  await writeLargeFile(path)
  const sources = createFileSources([folder.path])
  const expected = await sources.fingerprint(path)
  const request = { path, expected, partSize: PART, signature: { partSize: 10 * MIB, path: ours } }
  // A stretch at the end, which does not take reading 4 GiB.
  const [offset, end] = [signatureSize(4 * GIB) - 100, signatureSize(SIZE)]
  const range = { offset, length: end - offset }
  const slice = join(folder.path, 'slice')
  await hasher.signatureSlice({ path, expected, range, to: slice }, AbortSignal.timeout(60_000))

  // What a first pass takes for its threads is no growth.
  const small = join(folder.path, 'small')
  await writeFile(small, randomBytes(32 * MIB))
  const warming = { ...request, path: small, expected: await sources.fingerprint(small) }
  await hasher.hash({ ...warming, partSize: MIB }, AbortSignal.timeout(60_000))
  const memory = watchMemory()
  const result = await hasher.hash(request, AbortSignal.timeout(240_000))
  // The signature alone has 72 MiB.
  expect(memory.growth()).toBeLessThan(48 * MIB)

  await rdiffSignature(path, theirs)
  const signature = await readFile(theirs)
  expect((await readFile(ours)).equals(signature)).toBe(true)
  expect((await readFile(slice)).equals(signature.subarray(offset, end))).toBe(true)
  const signatureMd5 = createHash('md5').update(signature).digest('hex')
  expect(result).toMatchObject({ size: SIZE, signature: { md5: signatureMd5, size: signature.length } })
  expect(result).toMatchObject(await plainMd5s(path))
}, 300_000)
