import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFile,
  chmod,
  mkdtempDisposable,
  readFile,
  readdir,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { type HashRequest, type HashResult, type Hasher, createHasher } from '#shared/hashing/hasher.ts'
import { signatureSize } from '#shared/hashing/signature.ts'
import { createFileSources } from '#shared/sources/file.ts'

const MIB = 1024 * 1024

interface Source extends AsyncDisposable {
  readonly path: string
  /** Where its signature goes, in a folder that is not there yet. */
  readonly signature: string
  readonly request: (partSize: number) => Promise<HashRequest>
}

const makeSource = async (bytes: Uint8Array): Promise<Source> => {
  const folder = await mkdtempDisposable(join(tmpdir(), 'stevedore-hashing-'))
  const path = join(folder.path, 'source')
  const signature = join(folder.path, 'signatures/source.sig')
  await writeFile(path, bytes)
  const sources = createFileSources([folder.path])
  return {
    path,
    signature,
    request: async (partSize) => ({
      path,
      expected: await sources.fingerprint(path),
      partSize,
      signature: { partSize, path: signature },
    }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

/** A source that takes seconds to hash, and no room on the disk. */
const makeBigSource = async (): Promise<Source> => {
  const source = await makeSource(new Uint8Array())
  await truncate(source.path, 2048 * MIB)
  return source
}

const makeHasher = (): Hasher => {
  const hasher = createHasher({ threads: 1 })
  onTestFinished(() => hasher[Symbol.asyncDispose]())
  return hasher
}

const never = new AbortController().signal

const md5 = (bytes: Uint8Array, encoding: 'hex' | 'base64' = 'hex'): string =>
  createHash('md5').update(bytes).digest(encoding)

const partMd5s = (bytes: Uint8Array, partSize: number): string[] =>
  Array.from({ length: Math.max(1, Math.ceil(bytes.length / partSize)) }, (_, part) =>
    md5(bytes.subarray(part * partSize, (part + 1) * partSize)),
  )

const begun = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200))

// Made with librsync 2.3.2: rdiff -H blake2 -R rollsum -b 2048 -S 32 signature
test.each([
  [
    'empty',
    new Uint8Array(),
    'wFTc7oMFDcoZnqdLNiwHBw==',
    '727301370000080000000020',
    '1B2M2Y8AsgTpgAmY7PhCfg==',
  ],
  [
    'abc',
    Buffer.from('abc'),
    'BH8coUy05n4By4kWk+AwXA==',
    '72730137000008000000002003040183bddd813c',
    'kAFQmDzST7DWlj99KOF/cg==',
  ],
  [
    '2048 zero bytes',
    new Uint8Array(2048),
    'F2ppEET+ErE+F4ZrVBD3Bw==',
    '7273013700000800000000207c00f800200823e5',
    'yZp0xVU3GkM9Eh9VHWxjmA==',
  ],
  [
    '2049 counted bytes',
    Uint8Array.from({ length: 2049 }, (_, at) => at % 256),
    'YL+3iCA6AYdEXyQw1/4m5w==',
    '727301370000080000000020d000f4006ed9bf54',
    'Ez3ehH1eIKHzJvI6HVP2Bg==',
  ],
])('the signature of %s is the known one', async (_, bytes, signatureMd5, begin, sourceMd5) => {
  await using source = await makeSource(bytes)

  const result = await makeHasher().hash(await source.request(4096), never)

  const signature = await readFile(source.signature)
  expect(md5(signature, 'base64')).toBe(signatureMd5)
  expect(signature.subarray(0, 20).toString('hex')).toBe(begin)
  expect(result.md5).toBe(Buffer.from(sourceMd5, 'base64').toString('hex'))
  expect(result.signature?.md5).toBe(Buffer.from(signatureMd5, 'base64').toString('hex'))
})

test('every size and part size gives the MD5s of the whole, of all parts, and of the signature', async () => {
  const bytes = randomBytes(9 * MIB + 5)
  await using source = await makeSource(bytes)
  const hasher = makeHasher()

  // Down from the whole: around the borders of blocks, parts and read chunks, and through every buffer.
  for (const size of [
    9 * MIB + 5,
    5 * MIB + 1,
    5 * MIB,
    5 * MIB - 1,
    4 * MIB,
    MIB + 1,
    MIB,
    MIB - 1,
    2048,
    1,
    0,
  ]) {
    await truncate(source.path, size)
    for (const partSize of [MIB - 100, MIB, 5 * MIB, 64 * MIB]) {
      const result = await hasher.hash(await source.request(partSize), never)

      const [now, signature] = [bytes.subarray(0, size), await readFile(source.signature)]
      expect(result).toEqual({
        size,
        md5: md5(now),
        parts: partMd5s(now, partSize),
        signature: { size: signatureSize(size), md5: md5(signature), parts: partMd5s(signature, partSize) },
      } satisfies HashResult)
      expect(signature).toHaveLength(signatureSize(size))
    }
  }
})

test('a signature is cut into parts of its own size', async () => {
  await using source = await makeSource(randomBytes(3 * MIB))
  const request = await source.request(MIB)

  const result = await makeHasher().hash(
    { ...request, signature: { path: source.signature, partSize: 1000 } },
    never,
  )

  expect(result.signature?.parts).toEqual(partMd5s(await readFile(source.signature), 1000))
})

test('nothing is written when no signature is wanted', async () => {
  await using source = await makeSource(randomBytes(5000))
  const { path, expected, partSize } = await source.request(2000)

  const result = await makeHasher().hash({ path, expected, partSize }, never)

  expect(result).not.toHaveProperty('signature')
  expect(await readdir(dirname(path))).toEqual(['source'])
})

test('any stretch of the signature can be made again without the rest', async () => {
  await using source = await makeSource(randomBytes(3 * MIB + 7))
  const hasher = makeHasher()
  const { path, expected, ...request } = await source.request(MIB)
  await hasher.hash({ path, expected, ...request }, never)
  const signature = await readFile(source.signature)
  const to = `${source.signature}.slice`

  for (const [offset, end] of [
    [0, signature.length],
    [0, 5],
    [5, 12],
    [3, 13],
    [12, 48],
    [13, 47],
    [12 + 36 * 511, 12 + 36 * 513],
    [40_000, 50_000],
    [signature.length - 1, signature.length],
    [signature.length, signature.length],
  ] as const) {
    const range = { offset, length: end - offset }
    const sliceMd5 = await hasher.signatureSlice({ path, expected, range, to }, never)

    const slice = await readFile(to)
    expect(slice.equals(signature.subarray(offset, end))).toBe(true)
    expect(sliceMd5).toBe(md5(slice))
  }
  const past = { offset: signature.length, length: 1 }
  await expect(hasher.signatureSlice({ path, expected, range: past, to }, never)).rejects.toThrow(RangeError)
})

test('a file that changed before the pass is not hashed', async () => {
  await using source = await makeSource(randomBytes(5000))
  const request = await source.request(1000)
  await utimes(source.path, 1, 1)

  await expect(makeHasher().hash(request, never)).rejects.toMatchObject({
    name: 'StartOver',
    class: 'source-changed',
  })
  expect(await readdir(dirname(source.signature))).toEqual([])
})

test.each([
  ['grows', (path: string) => appendFile(path, 'more')],
  ['shrinks', (path: string) => truncate(path, 2000 * MIB)],
  ['is written to', (path: string) => utimes(path, 1, 1)],
])(
  'a file that %s during the pass leaves no hash and no signature',
  async (_, change) => {
    await using source = await makeBigSource()

    const hashing = makeHasher().hash(await source.request(16 * MIB), never)
    await begun()
    await change(source.path)

    await expect(hashing).rejects.toMatchObject({ name: 'StartOver', class: 'source-changed' })
    expect(await readdir(dirname(source.signature))).toEqual([])
  },
  60_000,
)

test('an abort during the pass ends it at once, and leaves no file and no descriptor behind', async () => {
  await using source = await makeBigSource()
  const hasher = makeHasher()
  const request = await source.request(16 * MIB)
  const before = (await readdir('/dev/fd')).length
  const abort = new AbortController()
  let ended = false

  const whole = hasher.hash(request, never).finally(() => {
    ended = true
  })
  await begun()
  const other = createHasher({ threads: 1 })
  const aborted = other.hash(
    { ...request, signature: { partSize: MIB, path: `${source.signature}2` } },
    abort.signal,
  )
  await begun()
  abort.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')

  // The same pass takes longer than that when it is let alone.
  expect(ended).toBe(false)
  await whole
  await other[Symbol.asyncDispose]()
  expect(await readdir(dirname(source.signature))).toEqual(['source.sig'])
  await hasher[Symbol.asyncDispose]()
  await expect.poll(async () => (await readdir('/dev/fd')).length).toBeLessThanOrEqual(before)
}, 60_000)

test('what can not be written is an error to try again, and the thread goes on', async () => {
  await using source = await makeSource(randomBytes(5000))
  const request = await source.request(1000)
  const hasher = makeHasher()
  const inFile = { ...request, signature: { partSize: 1000, path: join(source.path, 'signature') } }

  await expect(hasher.hash(inFile, never)).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(hasher.hash({ ...request, partSize: 0 }, never)).rejects.toThrow(RangeError)
  expect((await hasher.hash(request, never)).parts).toHaveLength(5)
})

test('sources outside of the given roots are refused on the thread as well', async () => {
  await using source = await makeSource(randomBytes(10))
  await using elsewhere = await makeSource(randomBytes(10))
  const link = join(dirname(source.path), 'link')
  await symlink(elsewhere.path, link)
  await using hasher = createHasher({ threads: 1, roots: [dirname(source.path)] })

  await expect(hasher.hash({ ...(await elsewhere.request(1000)), path: link }, never)).rejects.toMatchObject({
    name: 'FatalError',
    class: 'source-refused',
  })
  expect((await hasher.hash(await source.request(1000), never)).size).toBe(10)
})

test('a signature is for our own eyes only', async () => {
  await using source = await makeSource(randomBytes(10))
  await chmod(source.path, 0o644)

  await makeHasher().hash(await source.request(1000), never)

  const { stdout } = await promisify(execFile)('ls', ['-l', source.signature])
  expect(stdout).toMatch(/^-rw-------/)
})

test('an idle hasher keeps no process alive', async () => {
  await using source = await makeSource(randomBytes(10))
  const script = `
    import { createHasher } from ${JSON.stringify(import.meta.resolve('#shared/hashing/hasher.ts'))}
    const request = ${JSON.stringify(await source.request(1000))}
    console.log((await createHasher().hash(request, AbortSignal.timeout(10_000))).size)`

  const node = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 20_000,
  })

  expect((await node).stdout).toBe('10\n')
}, 30_000)

test('the event loop stays idle while other threads hash', async () => {
  await using source = await makeBigSource()
  const hasher = makeHasher()
  const request = await source.request(16 * MIB)

  const before = performance.eventLoopUtilization()
  await hasher.hash(request, never)
  const { utilization } = performance.eventLoopUtilization(before)

  expect(utilization).toBeLessThan(0.3)
}, 60_000)
