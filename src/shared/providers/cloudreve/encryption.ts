import { createCipheriv, type Cipheriv } from 'node:crypto'
import { pipeline } from 'node:stream'
import { FatalError } from '#shared/errors.ts'
import type { Slice } from '../provider.ts'

/** What a session says about its cipher, both base64: 32 bytes and 16 bytes. */
export interface CipherKey {
  readonly key: string
  readonly iv: string
}

const KEY_BYTES = 32
const BLOCK_BYTES = 16
const COUNTERS = 1n << 128n

/**
 * The slice as Cloudreve wants it encrypted: AES-256-CTR over the whole file, of which this slice begins at byte
 * `offset`. As long as before, and the same bytes each time it is opened.
 * cloudreve/cloudreve:pkg/filemanager/encrypt/aes256ctr.go@0bb0ab83
 */
export const encrypted = (slice: Slice, given: CipherKey, offset: number): Slice => {
  const key = decoded('key', given.key, KEY_BYTES)
  const iv = decoded('IV', given.iv, BLOCK_BYTES)
  return {
    length: slice.length,
    // Its callback would only hear what the reader hears anyway: either end takes the other with it.
    open: () => pipeline(slice.open(), cipherFrom(key, iv, offset), () => undefined),
  }
}

const cipherFrom = (key: Buffer, iv: Buffer, offset: number): Cipheriv => {
  const cipher = createCipheriv('aes-256-ctr', key, counterAt(iv, offset))
  // A part may begin in the middle of a block, whose first bytes belong to the part before.
  cipher.update(Buffer.alloc(offset % BLOCK_BYTES))
  return cipher
}

/** The counter block for byte `offset`: a sum of 128 bits, of which the official web client carries only 32. */
const counterAt = (iv: Buffer, offset: number): Buffer => {
  const first = BigInt(`0x${iv.toString('hex')}`)
  const counter = (first + BigInt(Math.floor(offset / BLOCK_BYTES))) % COUNTERS
  return Buffer.from(counter.toString(16).padStart(2 * BLOCK_BYTES, '0'), 'hex')
}

const decoded = (what: string, base64: string, bytes: number): Buffer => {
  const buffer = Buffer.from(base64, 'base64')
  if (buffer.length === bytes) return buffer
  const found = `${String(buffer.length)} bytes instead of ${String(bytes)}`
  throw new FatalError('internal', `The ${what} that the site wants the file encrypted with has ${found}`)
}
