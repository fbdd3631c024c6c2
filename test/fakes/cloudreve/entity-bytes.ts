import { createDecipheriv, createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Entity } from './tree.ts'

/** What a reader gets: decrypted, and with a byte changed where it was tampered with. */
export function bytesOf(entity: Entity): Readable {
  return Readable.from(decrypted(entity), { objectMode: false, highWaterMark: 1024 * 1024 })
}

/** Bytes that are really there; may differ from what was announced. */
export async function storedSize({ content }: Entity): Promise<number> {
  return content.at === 'site' ? content.blob.length() : ((await content.store.stat(content.key)) ?? 0)
}

/** As it lies there, encrypted or not. */
export async function* rawBytes({ content, tampered }: Entity): AsyncGenerator<Buffer> {
  const source = content.at === 'site' ? content.blob.read() : [await content.store.read(content.key)]
  let spoils = tampered
  for await (const chunk of source) {
    const bytes = spoils && chunk.length > 0 ? Buffer.concat([flipped(chunk), chunk.subarray(1)]) : chunk
    spoils &&= chunk.length === 0
    yield bytes
  }
}

function flipped(chunk: Buffer): Buffer {
  return Buffer.of(chunk.readUInt8() ^ 0xff)
}

async function* decrypted(entity: Entity): AsyncGenerator<Buffer> {
  const { encryption } = entity
  const decipher = encryption && createDecipheriv('aes-256-ctr', encryption.key, encryption.iv)
  for await (const chunk of rawBytes(entity)) yield decipher?.update(chunk) ?? chunk
}

/** Hex, of what a reader gets; undefined where nothing was kept to read. */
export async function sha256Of(entity: Entity, keepContent: boolean): Promise<string | undefined> {
  const { content, encryption } = entity
  if (!keepContent) {
    return content.at === 'site' && encryption === undefined ? content.blob.sha256() : undefined
  }
  const hash = createHash('sha256')
  for await (const chunk of decrypted(entity)) hash.update(chunk)
  return hash.digest('hex')
}
