import { open } from 'node:fs/promises'
import type { Core } from './core.ts'
import { findBlob } from './inspection.ts'

/** Changes one byte of a finished file, as a provider that rots would; nothing that was said of it changes. */
export async function tamper(core: Core, fileId: string, version: number): Promise<void> {
  const blob = findBlob(core, fileId, version, 'file')
  const part = blob.assembled.find(({ size }) => size > 0)
  if (part === undefined) throw new Error(`there is no byte to change in ${fileId} version ${version}`)
  await using file = await open(part.path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, 0)
  await file.write(Buffer.of(byte.readUInt8() ^ 0xff), 0, 1, 0)
  blob.sha256 = undefined
  part.sha256 = undefined
}
