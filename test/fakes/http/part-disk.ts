import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface StoredPart {
  path: string
  size: number
  /** Hex. */
  md5: string
  sha256: string | undefined
}

interface ReceiveOptions {
  /** Only worth its time where the part is the whole blob. */
  sha256?: boolean
  /** Changes the bytes between the wire and the disk. */
  alter?: (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>
}

export interface PartDisk extends AsyncDisposable {
  /** Bytes go to disk as they come; never is a whole part in memory. */
  receive: (source: AsyncIterable<Buffer>, options?: ReceiveOptions) => Promise<StoredPart>
  /** The parts one after the other, as if they were one file. */
  read: (parts: StoredPart[]) => Readable
  digest: (parts: StoredPart[], algorithm: 'md5' | 'sha256') => Promise<string>
  remove: (parts: Iterable<StoredPart>) => Promise<void>
}

const CHUNK = 1024 * 1024

interface DiskOptions {
  /** Where a new folder is made, removed on dispose. */
  directory: string
  /** How the name of that folder begins. */
  prefix: string
  /** False digests what comes and forgets it. */
  keepContent: boolean
}

export async function createPartDisk({
  directory: parent,
  prefix,
  keepContent,
}: DiskOptions): Promise<PartDisk> {
  const directory = await mkdtemp(join(parent, prefix))

  return {
    receive: (source, options = {}) =>
      receive(join(directory, randomUUID()), source, { ...options, keepContent }),
    read: (parts) => Readable.from(readAll(parts), { objectMode: false, highWaterMark: CHUNK }),
    digest: async (parts, algorithm) => {
      const hash = createHash(algorithm)
      for await (const chunk of readAll(parts)) hash.update(chunk)
      return hash.digest('hex')
    },
    remove: async (parts) => {
      await Promise.all([...parts].map((part) => rm(part.path, { force: true })))
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 3 }),
  }
}

async function receive(
  path: string,
  source: AsyncIterable<Buffer>,
  { sha256 = false, alter = (bytes) => bytes, keepContent }: ReceiveOptions & { keepContent: boolean },
): Promise<StoredPart> {
  const md5 = createHash('md5')
  const sha = sha256 ? createHash('sha256') : undefined
  let size = 0
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of alter(source)) {
      md5.update(chunk)
      sha?.update(chunk)
      size += chunk.length
      yield chunk
    }
  }
  try {
    const kept = keepContent ? createWriteStream(path, { highWaterMark: CHUNK }) : drain
    await pipeline(hashed, kept)
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
  return { path, size, md5: md5.digest('hex'), sha256: sha?.digest('hex') }
}

async function drain(source: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of source);
}

async function* readAll(parts: StoredPart[]): AsyncGenerator<Buffer> {
  for (const { path } of parts) {
    // No encoding is set on the stream, so its chunks are buffers.
    const chunks: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: CHUNK })
    yield* chunks
  }
}
