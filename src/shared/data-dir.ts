import { createHash, randomBytes } from 'node:crypto'
import { link, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'

import { keyIdOf, parseSecretKey } from './secrets.ts'

/** Makes the folder, for its owner only, and answers its real path. */
export async function makePrivateFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  return realpath(path)
}

/** Replaces the file as a whole: a reader, or a kill in between, sees the old content or the new one. */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  await rename(await writeDraft(path, content), path)
}

async function writeDraft(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, content, { flag: 'wx', mode: 0o600, flush: true })
  return draft
}

/** The file's content; made from `create` if there is none. All who race for it get the same. */
async function readOrCreate(path: string, create: () => string): Promise<string> {
  const there = await readIfThere(path)
  if (there !== undefined) return there
  const draft = await writeDraft(path, `${create()}\n`)
  try {
    // Unlike a rename, a link fails when somebody was faster.
    await link(draft, path)
  } catch (error) {
    if (!isFileError(error, 'EEXIST')) throw error
  } finally {
    await rm(draft)
  }
  return (await readFile(path, 'utf8')).trim()
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return undefined
    throw error
  }
}

function isFileError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** The API token of this data directory, made at first use. */
export async function openToken(dataDir: string): Promise<string> {
  const path = join(await makePrivateFolder(dataDir), 'token')
  const token = await readOrCreate(path, () => randomBytes(32).toString('base64url'))
  if (token.length < 16) throw new Error(`${path} holds no token: remove it, and a new one is made`)
  return token
}

export interface RegisterToken {
  readonly prefix: string
  readonly dataDir: string
  readonly token: string
}

/** Lets every process on this Redis accept the token, and no longer the one this data directory had before. */
export async function registerToken(redis: Redis, { prefix, dataDir, token }: RegisterToken): Promise<void> {
  const path = join(await makePrivateFolder(dataDir), 'token.registered')
  const [before, now] = [await readIfThere(path), hashOf(token)]
  await redis.sadd(tokensKey(prefix), now)
  if (before !== undefined && before !== now) await redis.srem(tokensKey(prefix), before)
  if (before !== now) await writePrivateFile(path, `${now}\n`)
}

export interface PresentedToken {
  readonly prefix: string
  readonly token: string
}

/** Whether the token was registered. Only its hash is compared, so how long that takes tells nothing. */
export async function isToken(redis: Redis, { prefix, token }: PresentedToken): Promise<boolean> {
  return isTokenHash(redis, { prefix, hash: tokenHash(token) })
}

/** Names a token without giving it away. */
export const tokenHash = (token: string): string => hashOf(token)

/** Whether the token with this hash is registered. */
export async function isTokenHash(
  redis: Redis,
  { prefix, hash }: { readonly prefix: string; readonly hash: string },
): Promise<boolean> {
  return (await redis.sismember(tokensKey(prefix), hash)) === 1
}

function tokensKey(prefix: string): string {
  return `${prefix}:tokens`
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

export interface OpenSecretKey {
  readonly prefix: string
  readonly dataDir: string
  /** From the configuration; the data directory's own file otherwise. */
  readonly configured?: Uint8Array | undefined
}

/**
 * The key that everything in this Redis is encrypted with. Makes one only where nothing was ever encrypted;
 * throws when the one it finds is missing or another, as a wrong key would strand every account.
 */
export async function openSecretKey(redis: Redis, options: OpenSecretKey): Promise<Uint8Array> {
  const { prefix, dataDir, configured } = options
  const idKey = `${prefix}:secret-key-id`
  const path = join(await makePrivateFolder(dataDir), 'secret.key')
  const key = configured ?? (await keyFromFile(path, await redis.get(idKey)))
  await redis.setnx(idKey, keyIdOf(key))
  const expected = await redis.get(idKey)
  if (expected === keyIdOf(key)) return key
  const origin = configured === undefined ? path : 'STEVEDORE_SECRET_KEY'
  throw new Error(
    `This Redis is encrypted with the key ${expected}, but ${origin} is the key ${keyIdOf(key)}. ` +
      'Take the key of the machine that was set up first (its secret.key, or STEVEDORE_SECRET_KEY)',
  )
}

async function keyFromFile(path: string, expectedId: string | null): Promise<Uint8Array> {
  if (expectedId !== null && (await readIfThere(path)) === undefined) {
    throw new Error(
      `This Redis is encrypted with the key ${expectedId}, and there is none in ${path}. ` +
        'Put the file back, or set STEVEDORE_SECRET_KEY. No new key is made: it could read none of the accounts',
    )
  }
  const key = parseSecretKey(await readOrCreate(path, () => randomBytes(32).toString('base64')))
  if (key === undefined) throw new Error(`${path} is damaged: it must hold 32 bytes as base64 or hex`)
  return key
}
