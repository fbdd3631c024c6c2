import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createHasher } from '#shared/hashing/hasher.ts'
import { fingerprintOf } from '#shared/sources/fingerprint.ts'
import { readFully } from '#shared/sources/slice.ts'
import { MIB } from '../figures.ts'

/** Hashes a file in a process of its own, a smaller one first: `pass`, as the service does, or `md5` alone. */
const [kind = '', warmUp = '', path = '', scratch = ''] = process.argv.slice(2)
const PART_SIZE = 16 * MIB
const never = new AbortController().signal

await using hasher = createHasher({ threads: 1 })
const hash = kind === 'pass' ? wholePass : md5Alone
await hash(warmUp)
const began = performance.now()
const before = process.cpuUsage()
await hash(path)
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ wallMs: performance.now() - began, cpuMs: (user + system) / 1000 }))

async function wholePass(path: string): Promise<void> {
  await using handle = await open(path)
  const expected = fingerprintOf(await handle.stat({ bigint: true }))
  const signature = { partSize: PART_SIZE, path: join(scratch, 'signature') }
  await hasher.hash({ path, expected, partSize: PART_SIZE, signature }, never)
}

async function md5Alone(path: string): Promise<void> {
  await using handle = await open(path)
  const { size } = await handle.stat()
  const hash = createHash('md5')
  const into = Buffer.alloc(MIB)
  for (let position = 0; position < size; position += into.length) {
    const length = await readFully(handle, { into, position, path })
    hash.update(into.subarray(0, length))
  }
  hash.digest()
}
