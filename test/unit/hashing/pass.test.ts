import { appendFile, mkdtempDisposable, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DigestThreads } from '#shared/hashing/digests.ts'
import { createRunPass } from '#shared/hashing/pass.ts'
import { createFileSources } from '#shared/sources/file.ts'

const MIB = 1024 * 1024

/** In the place of a thread: calls back for each chunk, and never comes to an end. */
const eachChunk = (onChunk: () => Promise<unknown>): DigestThreads => ({
  open: () => ({
    update: onChunk,
    end: () => new Promise(() => {}),
    [Symbol.dispose]: () => {},
  }),
})

test.each([
  ['at its end, when it changed after the last byte was read', 1, 1],
  ['long before its end, when it changed at its begin', 1000, 100],
])('a pass fails %s', async (_, sizeMib, mostChunks) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'stevedore-pass-'))
  const path = join(folder.path, 'source')
  await writeFile(path, '')
  await truncate(path, sizeMib * MIB)
  const expected = await createFileSources([folder.path]).fingerprint(path)
  let chunks = 0
  const threads = eachChunk(() => {
    chunks += 1
    return chunks === 1 ? appendFile(path, 'more') : Promise.resolve()
  })

  const pass = {
    path,
    expected,
    roots: undefined,
    from: 0,
    to: expected.size,
    md5: false,
    signature: undefined,
  }
  const running = createRunPass(threads)({ ...pass, parts: { kind: 'parts', partSize: MIB } })

  await expect(running).rejects.toMatchObject({ name: 'StartOver', class: 'source-changed' })
  expect(chunks).toBeLessThanOrEqual(mostChunks)
})
