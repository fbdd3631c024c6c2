import { createCipheriv, createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlannedUpload } from './plan.ts'

export interface Source {
  readonly path: string
  /** Hex, of the bytes as they were made. */
  readonly sha256: string
}

/** Writes the file of an upload: bytes as good as random, and the same for the same seed. */
export async function makeSource(
  folder: string,
  seed: number,
  { index, fileName, size }: PlannedUpload,
): Promise<Source> {
  const path = join(folder, fileName)
  const bytes = bytesOf(`${seed} ${index}`, size)
  await writeFile(path, bytes, { flag: 'wx', mode: 0o600 })
  return { path, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** A cipher's key stream: faster than anything of our own, and no two files have a stretch in common. */
function bytesOf(name: string, size: number): Buffer {
  const key = createHash('sha256').update(name).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}
