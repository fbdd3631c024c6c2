import type { BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { StartOver } from '#shared/errors.ts'

/**
 * What a file is recognised by between acceptance, hashing and every slice. JSON-safe, so inode and mtime are
 * decimal strings. No device number: the same network share has another one on every machine and after a
 * remount.
 */
export interface Fingerprint {
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: string
  readonly inode: string
}

export const fingerprintOf = (stats: BigIntStats): Fingerprint => ({
  size: Number(stats.size),
  mtimeNs: String(stats.mtimeNs),
  inode: String(stats.ino),
})

export const sameFingerprint = (one: Fingerprint, other: Fingerprint): boolean =>
  one.size === other.size && one.mtimeNs === other.mtimeNs && one.inode === other.inode

/** When the file was last written to, in ms since 1970. */
export const modifiedAt = ({ mtimeNs }: Fingerprint): number => Number(BigInt(mtimeNs) / 1_000_000n)

/** Throws `StartOver('source-changed')` unless the open file still is the one that was accepted. */
export const assertUnchanged = async (
  handle: FileHandle,
  expected: Fingerprint,
  path: string,
): Promise<void> => {
  const now = fingerprintOf(await handle.stat({ bigint: true }))
  if (!sameFingerprint(now, expected)) throw sourceChanged(path, difference(expected, now))
}

export const sourceChanged = (path: string, how: string): StartOver =>
  new StartOver('source-changed', `${path} is not the file that was accepted: ${how}`)

const difference = (before: Fingerprint, now: Fingerprint): string => {
  if (before.size !== now.size) return `it had ${before.size} bytes and has ${now.size}`
  if (before.inode !== now.inode) return 'another file has taken its place'
  return 'it was written to'
}
