import { randomBytes, randomInt } from 'node:crypto'
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createHasher } from '#shared/hashing/hasher.ts'
import { createFileSources } from '#shared/sources/file.ts'
import { rdiffSignature } from '../../support/rdiff.ts'

const MIB = 1024 * 1024

const AROUND_BORDERS = [2048, 4096, MIB, 4 * MIB, 5 * MIB].flatMap((border) => [
  border - 1,
  border,
  border + 1,
])

const RANDOM = Array.from({ length: 10 }, () => randomInt(7 * MIB))

test.each([0, 1, ...AROUND_BORDERS, ...RANDOM])(
  'the signature of %i random bytes is librsync’s own, byte for byte',
  { timeout: 120_000 },
  async (size) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'stevedore-rdiff-'))
    await using hasher = createHasher({ threads: 1 })
    const path = join(folder.path, 'source')
    const ours = join(folder.path, 'ours')
    const theirs = join(folder.path, 'theirs')
    await writeFile(path, randomBytes(size))
    const expected = await createFileSources([folder.path]).fingerprint(path)

    const signature = { partSize: MIB, path: ours }
    await hasher.hash({ path, expected, partSize: MIB, signature }, AbortSignal.timeout(60_000))
    await rdiffSignature(path, theirs)

    expect((await readFile(ours)).equals(await readFile(theirs))).toBe(true)
  },
)
