import { createHash, randomFill } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { local, onedrive, s3, vrchat } from './places.ts'
import type { Place } from './places.ts'

const MIB = 1024 * 1024
// Smaller files go up in one request, from here on it is parts; the fake does as VRChat does.
const MULTIPART_FROM = 5 * MIB
// All ranges that OneDrive takes are multiples of this, but for the last.
const RANGE_UNIT = 320 * 1024

interface Wanted {
  readonly name: string
  readonly size: number
  readonly to: Place
}

/** Bytes of a Cloudreve chunk, which the site decides: about as many as a part has. */
export const chunkSizeOf = (partSize: number): number => partSize - (partSize % RANGE_UNIT)

export interface DemoFile extends Wanted {
  readonly path: string
  /** Hex, of the bytes as they were made. */
  readonly sha256: string
}

/** What is uploaded: every size at which something may go wrong. The big ones of each provider come first. */
export const filesOf = (partSize: number): readonly Wanted[] => [
  ...forVrchat(partSize).map((file) => ({ ...file, to: vrchat })),
  ...forCloudreve(chunkSizeOf(partSize)),
]

function forVrchat(partSize: number): readonly Omit<Wanted, 'to'>[] {
  return [
    { name: 'many-parts.vrcw', size: 24 * partSize + 12_345 },
    { name: 'empty.vrca', size: 0 },
    { name: 'one-byte.vrca', size: 1 },
    { name: 'last-simple.vrca', size: MULTIPART_FROM - 1 },
    { name: 'first-multipart.vrca', size: MULTIPART_FROM },
    { name: 'one-part-less-1.vrca', size: partSize - 1 },
    { name: 'one-part.vrca', size: partSize },
    { name: 'one-part-plus-1.vrca', size: partSize + 1 },
    { name: 'two-parts.vrca', size: 2 * partSize },
    { name: 'two-parts-plus-1.vrca', size: 2 * partSize + 1 },
    { name: 'höhle-洞窟.vrcw', size: 3 * partSize - 1 },
    { name: 'spaces & signs %.vrcw', size: 4 * partSize + 1 },
    { name: 'five-parts.vrcw', size: 5 * partSize },
  ]
}

function forCloudreve(chunk: number): readonly Wanted[] {
  return [
    { name: 'many-chunks.tar', size: 12 * chunk + 12_345, to: s3 },
    { name: 'disk image.iso', size: 8 * chunk, to: local },
    { name: 'one-by-one.mkv', size: 6 * chunk - 1, to: onedrive },
    { name: 'empty.log', size: 0, to: local },
    { name: 'one-byte.log', size: 1, to: local },
    { name: 'one-chunk.zip', size: chunk, to: s3 },
    { name: 'one-chunk-plus-1.zip', size: chunk + 1, to: s3 },
    { name: '100% & 写真 #1.zip', size: 2 * chunk + 1, to: onedrive },
    { name: 'empty.doc', size: 0, to: onedrive },
  ]
}

export const bytesOf = (files: readonly Wanted[]): number => files.reduce((sum, { size }) => sum + size, 0)

/** Writes random bytes, and hashes them on the way: nothing is read again. */
export async function makeFiles(
  folder: string,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): Promise<DemoFile[]> {
  const made: DemoFile[] = []
  for (const { name, size, to } of wanted) {
    const path = join(folder, name)
    made.push({ name, size, to, path, sha256: await writeRandom(path, size, signal) })
  }
  return made
}

const fill = promisify<Uint8Array, Uint8Array>(randomFill)

async function writeRandom(path: string, size: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await using file = await open(path, 'wx', 0o600)
  // Two blocks: the next is made while the last one is written.
  const blocks = [new Uint8Array(4 * MIB), new Uint8Array(4 * MIB)] as const
  let written: Promise<unknown> = Promise.resolve()
  for (let offset = 0, turn: 0 | 1 = 0; offset < size; turn = turn === 0 ? 1 : 0) {
    signal.throwIfAborted()
    const block = blocks[turn].subarray(0, Math.min(4 * MIB, size - offset))
    await fill(block)
    hash.update(block)
    await written
    written = file.write(block, 0, block.length, offset)
    offset += block.length
  }
  await written
  return hash.digest('hex')
}
