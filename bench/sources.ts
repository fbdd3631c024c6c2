import { randomBytes } from 'node:crypto'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Files of random bytes, each another, called `<name>-1.bin` and so on; answers their paths. */
export async function makeFiles(
  folder: string,
  name: string,
  { count, size }: { readonly count: number; readonly size: number },
): Promise<string[]> {
  const block = randomBytes(size)
  const paths: string[] = []
  for (let number = 1; number <= count; number += 1) {
    // Another beginning is another file: random bytes for all of them would take longer than the bench.
    block.writeUInt32LE(number)
    const path = join(folder, `${name}-${number}.bin`)
    await writeFile(path, block)
    paths.push(path)
  }
  return paths
}

/** A file of so many zeros that takes no room. What hashing and sending cost does not depend on the bytes. */
export async function makeSparse(folder: string, name: string, size: number): Promise<string> {
  const path = join(folder, name)
  await using file = await open(path, 'wx', 0o600)
  await file.truncate(size)
  return path
}
