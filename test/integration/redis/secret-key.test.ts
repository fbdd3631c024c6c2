import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, inject, onTestFinished, test } from 'vitest'

import { isToken, openSecretKey, openToken, registerToken } from '#shared/data-dir.ts'
import { createSecrets } from '#shared/secrets.ts'

async function setup() {
  const redis = new Redis(inject('redisUrl'))
  const prefix = `{test-${randomBytes(6).toString('hex')}}`
  const parent = await mkdtemp(join(tmpdir(), 'stevedore-key-'))
  onTestFinished(async () => {
    await redis.del(`${prefix}:secret-key-id`, `${prefix}:tokens`)
    redis.disconnect()
    await rm(parent, { recursive: true })
  })
  return { redis, prefix, dataDir: join(parent, 'data'), otherDir: join(parent, 'other') }
}

test('a key is made at the first start, kept for its owner only, and its id noted in Redis', async () => {
  const { redis, prefix, dataDir } = await setup()

  const key = await openSecretKey(redis, { prefix, dataDir })

  expect(key).toHaveLength(32)
  expect(await openSecretKey(redis, { prefix, dataDir })).toEqual(key)
  expect((await stat(join(dataDir, 'secret.key'))).mode & 0o777).toBe(0o600)
  expect(await redis.get(`${prefix}:secret-key-id`)).toBe(createSecrets(key).keyId)
})

test('starts that race for the key end with one', async () => {
  const { redis, prefix, dataDir } = await setup()

  const keys = await Promise.all(Array.from({ length: 20 }, () => openSecretKey(redis, { prefix, dataDir })))

  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(1)
})

test('no new key is made while something may be encrypted with a lost one', async () => {
  const { redis, prefix, dataDir } = await setup()
  await openSecretKey(redis, { prefix, dataDir })
  const saved = await readFile(join(dataDir, 'secret.key'))
  await rm(join(dataDir, 'secret.key'))

  await expect(openSecretKey(redis, { prefix, dataDir })).rejects.toThrow(
    'Put the file back, or set STEVEDORE_SECRET_KEY',
  )

  await expect(stat(join(dataDir, 'secret.key'))).rejects.toThrow('ENOENT')
  await writeFile(join(dataDir, 'secret.key'), saved)
  await expect(openSecretKey(redis, { prefix, dataDir })).resolves.toHaveLength(32)
})

test('another key than the one in use is refused, from a file and from the settings', async () => {
  const { redis, prefix, dataDir, otherDir } = await setup()
  const configured = randomBytes(32)
  await openSecretKey(redis, { prefix: `${prefix}:elsewhere`, dataDir: otherDir })
  await openSecretKey(redis, { prefix, dataDir })

  await expect(openSecretKey(redis, { prefix, dataDir: otherDir })).rejects.toThrow(
    'other/secret.key is the key',
  )
  await expect(openSecretKey(redis, { prefix, dataDir, configured })).rejects.toThrow(
    'STEVEDORE_SECRET_KEY is the key',
  )

  await redis.del(`${prefix}:elsewhere:secret-key-id`)
})

test('a configured key goes before the file, and no file is made for it', async () => {
  const { redis, prefix, dataDir } = await setup()
  const configured = randomBytes(32)

  expect(await openSecretKey(redis, { prefix, dataDir, configured })).toEqual(configured)

  await expect(stat(join(dataDir, 'secret.key'))).rejects.toThrow('ENOENT')
})

test('a damaged key file is refused', async () => {
  const { redis, prefix, dataDir } = await setup()
  await openSecretKey(redis, { prefix, dataDir })
  await writeFile(join(dataDir, 'secret.key'), 'half')

  await expect(openSecretKey(redis, { prefix, dataDir })).rejects.toThrow('is damaged')
})

test('a registered token is accepted by every process on this Redis, and stands nowhere in it', async () => {
  const { redis, prefix, dataDir } = await setup()
  const token = await openToken(dataDir)

  await registerToken(redis, { prefix, dataDir, token })

  expect(await isToken(redis, { prefix, token })).toBe(true)
  expect(await isToken(redis, { prefix, token: `${token}x` })).toBe(false)
  expect(await isToken(redis, { prefix, token: '' })).toBe(false)
  expect(await redis.smembers(`${prefix}:tokens`)).not.toContain(token)
})

test('a new token of a data directory ends the old one, and no other', async () => {
  const { redis, prefix, dataDir, otherDir } = await setup()
  const [old, other] = [await openToken(dataDir), await openToken(otherDir)]
  await registerToken(redis, { prefix, dataDir, token: old })
  await registerToken(redis, { prefix, dataDir: otherDir, token: other })
  await rm(join(dataDir, 'token'))

  const fresh = await openToken(dataDir)
  await registerToken(redis, { prefix, dataDir, token: fresh })

  const accepted = await Promise.all([old, other, fresh].map((token) => isToken(redis, { prefix, token })))
  expect(accepted).toEqual([false, true, true])
})
