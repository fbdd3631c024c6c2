import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFile,
  glob,
  mkdir,
  mkdtempDisposable,
  readFile,
  readdir,
  stat,
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
import { createDigestThreads } from '#shared/hashing/digests.ts'
import { type Pass, createRunPass } from '#shared/hashing/pass.ts'
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

const descriptors = async (): Promise<number> => (await readdir('/dev/fd')).length

/** Waits until a pass has made some signature, and so is on its way. */
const begun = async (signature: string): Promise<void> => {
  const sizes = async (): Promise<number[]> => {
    const files = await Array.fromAsync(glob(`${signature}.*`), (file) => stat(file))
    return files.map(({ size }) => size)
  }
  const some = expect.toSatisfy((size: number) => size > 12)
  await expect.poll(sizes, { timeout: 20_000 }).toContainEqual(some)
}

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

test('row 30: a file that changed before the pass is not hashed', async () => {
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
])('row 30: a file that %s during the pass leaves no hash and no signature', async (_, change) => {
  await using source = await makeBigSource()

  const hashing = makeHasher().hash(await source.request(16 * MIB), never)
  await begun(source.signature)
  await change(source.path)

  await expect(hashing).rejects.toMatchObject({ name: 'StartOver', class: 'source-changed' })
  expect(await readdir(dirname(source.signature))).toEqual([])
})

test('an abort during the pass ends it at once, and leaves no file and no descriptor behind', async () => {
  await using source = await makeBigSource()
  const [hasher, other] = [makeHasher(), makeHasher()]
  const request = await source.request(16 * MIB)
  const before = await descriptors()
  const [soon, late] = [new AbortController(), new AbortController()]
  let ended = false

  const first = hasher.hash(request, late.signal).finally(() => {
    ended = true
  })
  await begun(source.signature)
  const again = { ...request, signature: { partSize: MIB, path: `${source.signature}2` } }
  const second = other.hash(again, soon.signal)
  await begun(again.signature.path)
  soon.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  // The same pass, begun earlier, is not done: so the abort did not wait for the end.
  expect(ended).toBe(false)
  late.abort(new Error('enough as well'))

  await expect(first).rejects.toThrow('enough as well')
  await Promise.all([hasher, other].map((each) => each[Symbol.asyncDispose]()))
  expect(await readdir(dirname(source.signature))).toEqual([])
  await expect.poll(descriptors).toBeLessThanOrEqual(before)
})

test('row 32: a signature that can not take its place is waited for, and leaves nothing', async () => {
  await using source = await makeSource(randomBytes(5000))
  const request = await source.request(1000)
  const hasher = makeHasher()
  await mkdir(source.signature, { recursive: true })

  await expect(hasher.hash(request, never)).rejects.toMatchObject({
    name: 'HostTrouble',
    message: expect.stringContaining('can not be used: EISDIR'),
  })

  expect(await readdir(dirname(source.signature))).toEqual(['source.sig'])
})

test('what fails on one thread fails the pass, and the threads go on', async () => {
  await using source = await makeSource(randomBytes(3 * MIB))
  const { path, expected } = await source.request(MIB)
  const run = createRunPass(createDigestThreads())
  const pass = (file: string): Pass => ({
    path,
    expected,
    roots: undefined,
    from: 0,
    to: 3 * MIB,
    md5: true,
    parts: undefined,
    signature: { kind: 'signature', file, header: true, skip: 0, length: MIB, partSize: MIB },
  })

  await expect(run(pass(`${path}-missing`))).rejects.toThrow('ENOENT')
  await writeFile(`${path}-there`, '')
  const { signature } = await run(pass(`${path}-there`))

  expect(signature?.md5).toBe(md5(await readFile(`${path}-there`)))
})

test('a part without bytes is a mistake of the caller', async () => {
  await using source = await makeSource(randomBytes(10))

  await expect(makeHasher().hash(await source.request(0), never)).rejects.toThrow(RangeError)
})

test('row 35: sources outside of the given roots are refused on the thread as well', async () => {
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

  await makeHasher().hash(await source.request(1000), never)

  expect((await stat(source.signature)).mode & 0o777).toBe(0o600)
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
})

test('row 47: the event loop stays idle while other threads hash', async () => {
  await using source = await makeBigSource()
  await truncate(source.path, 512 * MIB)
  const hasher = makeHasher()
  const request = await source.request(16 * MIB)

  const before = performance.eventLoopUtilization()
  await hasher.hash(request, never)
  const { utilization } = performance.eventLoopUtilization(before)

  expect(utilization).toBeLessThan(0.3)
})
