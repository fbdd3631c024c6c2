import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

import { openToken, writePrivateFile } from '#shared/data-dir.ts'

async function setup(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'stevedore-data-'))
  onTestFinished(() => rm(parent, { recursive: true }))
  return join(parent, 'nested', 'data')
}

test('the folder and the token are for their owner only, and the token stays', async () => {
  const dataDir = await setup()

  const token = await openToken(dataDir)

  expect(token).toMatch(/^[\w-]{43}$/)
  expect(await openToken(dataDir)).toBe(token)
  expect(await readdir(dataDir)).toEqual(['token'])
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
  expect((await stat(join(dataDir, 'token'))).mode & 0o777).toBe(0o600)
})

test('all who race for the token get the same one', async () => {
  const dataDir = await setup()

  const tokens = await Promise.all(Array.from({ length: 20 }, () => openToken(dataDir)))

  expect(new Set(tokens).size).toBe(1)
  expect(await readdir(dataDir)).toEqual(['token'])
})

test('a token that somebody wrote is used, an emptied file is refused', async () => {
  const dataDir = await setup()
  await openToken(dataDir)

  await writeFile(join(dataDir, 'token'), 'a-token-of-my-own\n')
  expect(await openToken(dataDir)).toBe('a-token-of-my-own')

  await writeFile(join(dataDir, 'token'), '')
  await expect(openToken(dataDir)).rejects.toThrow('holds no token')
})

test('a private file is replaced as a whole, and private whatever it was before', async () => {
  const dataDir = await setup()
  await openToken(dataDir)
  const path = join(dataDir, 'file')
  await writeFile(path, 'old', { mode: 0o644 })

  await writePrivateFile(path, 'new')

  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})
