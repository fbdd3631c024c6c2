import { createCipheriv, createHash, type Hash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Store } from './stores/store.ts'

/** Bytes that the site keeps by itself: of local policies, relays and small files. */
export interface Blob {
  /** Bytes on the disk, holes and all. */
  length: () => number
  /** Gives it this length at once, as fallocate does. */
  allocate: (size: number) => Promise<void>
  /** Writes as it comes and never cuts off what is behind; answers the count of bytes. */
  write: (offset: number, source: AsyncIterable<Buffer>) => Promise<number>
  read: () => AsyncIterable<Buffer>
  /** Hex; undefined when nothing was kept and it did not come in order. */
  sha256: () => Promise<string | undefined>
  remove: () => Promise<void>
}

/** Where an entity's bytes are. */
export type Content = { at: 'site'; blob: Blob } | { at: 'store'; store: Store; key: string }

export interface BlobDisk extends AsyncDisposable {
  create: () => Blob
}

interface DiskOptions {
  directory: string
  keepContent: boolean
}

export async function createBlobDisk({ directory: parent, keepContent }: DiskOptions): Promise<BlobDisk> {
  const directory = await mkdtemp(join(parent, 'fake-cloudreve-'))
  return {
    create: () => (keepContent ? keptBlob(join(directory, randomUUID())) : forgottenBlob()),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 3 }),
  }
}

function keptBlob(path: string): Blob {
  let length = 0

  const read = (): AsyncIterable<Buffer> =>
    length === 0 ? nothing() : createReadStream(path, { highWaterMark: 1024 * 1024 })

  return {
    length: () => length,
    allocate: async (size) => {
      await (await open(path, 'a')).close()
      await truncate(path, size)
      length = Math.max(length, size)
    },
    write: async (offset, source) => {
      await (await open(path, 'a')).close()
      await using file = await open(path, 'r+')
      return await copy(file, offset, source, (end) => {
        length = Math.max(length, end)
      })
    },
    read,
    sha256: async () => {
      const hash = createHash('sha256')
      for await (const chunk of read()) hash.update(chunk)
      return hash.digest('hex')
    },
    remove: () => rm(path, { force: true }),
  }
}

async function copy(
  file: FileHandle,
  offset: number,
  source: AsyncIterable<Buffer>,
  onGrown: (end: number) => void,
): Promise<number> {
  let at = offset
  for await (const chunk of source) {
    await file.write(chunk, 0, chunk.length, at)
    at += chunk.length
    onGrown(at)
  }
  return at - offset
}

function forgottenBlob(): Blob {
  let length = 0
  let hashed = 0
  let hash: Hash | undefined = createHash('sha256')
  return {
    length: () => length,
    allocate: async (size) => {
      length = Math.max(length, size)
    },
    write: async (offset, source) => {
      if (offset !== hashed) hash = undefined
      let count = 0
      for await (const chunk of source) {
        hash?.update(chunk)
        count += chunk.length
        hashed = offset + count
        length = Math.max(length, hashed)
      }
      return count
    },
    read: nothing,
    sha256: async () => hash?.copy().digest('hex'),
    remove: async () => undefined,
  }
}

async function* nothing(): AsyncGenerator<Buffer> {
  // Nothing was kept.
}

/** What the server does by itself where the client can not: on relays and small files. */
export async function* encrypted(
  source: AsyncIterable<Buffer>,
  { key, iv }: { key: Buffer; iv: Buffer },
): AsyncGenerator<Buffer> {
  const cipher = createCipheriv('aes-256-ctr', key, iv)
  for await (const chunk of source) yield cipher.update(chunk)
}
