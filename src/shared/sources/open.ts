import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { type Fingerprint, assertUnchanged } from './fingerprint.ts'
import { assertRegular, outsideRoots, refused, sourceError } from './refusal.ts'

/** Folders that sources may be in: as the settings name them, and what these names resolved to. */
export interface Roots {
  readonly named: readonly string[]
  readonly real: readonly string[]
}

/**
 * Opens a source for reading, never anything but a regular file under the roots. Throws what `refusal.ts`
 * says, and `StartOver('source-changed')` when it is not the expected file. The caller closes it.
 */
export const openSource = async (
  path: string,
  roots?: Roots,
  expected?: Fingerprint,
): Promise<FileHandle> => {
  const handle = await openLocated(path, await locate(path, roots), roots)
  try {
    if (expected !== undefined) await assertUnchanged(handle, expected, path)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * Where a source really is. Looks before opening, since to open is to act: it lets a pipe's writer go on and
 * may move a tape.
 */
export const locate = async (path: string, roots?: Roots): Promise<string> => {
  const real = await realpath(path).catch((error: unknown) => {
    // Whoever may not read there shall not learn what exists there.
    if (roots !== undefined && !isNamedUnder(path, roots)) throw outsideRoots(path, roots.named)
    throw sourceError(path, error)
  })
  if (roots !== undefined && !isUnder(real, roots.real)) throw outsideRoots(path, roots.named)
  assertRegular(await onSource(path, stat(real, { bigint: true })), path)
  return real
}

/**
 * Opens what `locate` found, and checks the descriptor again: between the two, a folder on the way may have
 * been swapped for a link, or the file for a pipe.
 */
export const openLocated = async (path: string, real: string, roots?: Roots): Promise<FileHandle> => {
  // O_NONBLOCK: a pipe would keep open() waiting for its writer. It means nothing for a regular file.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
  const handle = await onSource(path, open(real, flags))
  try {
    const opened = await onSource(path, handle.stat({ bigint: true }))
    assertRegular(opened, path)
    if (opened.size === 0n) await assertEmpty(handle, path)
    if (roots !== undefined && !isUnder(await openedPath(handle, opened, real), roots.real)) {
      throw outsideRoots(path, roots.named)
    }
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** What the system makes up while it is read, such as `/proc/self/environ`, is regular and empty by its looks. */
const assertEmpty = async (handle: FileHandle, path: string): Promise<void> => {
  const { bytesRead } = await onSource(path, handle.read(Buffer.alloc(1), 0, 1, 0))
  if (bytesRead === 0) return
  // Unless it has just been written to.
  const { size } = await onSource(path, handle.stat({ bigint: true }))
  if (size === 0n)
    throw refused(path, 'is made up by the system as it is read: write what it says to a file first')
}

/**
 * The path that a descriptor really stands for, from the kernel where it says so. Elsewhere from the name, as
 * long as that still means the same file; else an empty string, which is under no root.
 */
export const openedPath = async (
  handle: FileHandle,
  opened: BigIntStats,
  path: string,
  descriptors = '/proc/self/fd',
): Promise<string> => {
  try {
    return await readlink(`${descriptors}/${handle.fd}`)
  } catch {
    const real = await onSource(path, realpath(path))
    const named = await onSource(path, stat(real, { bigint: true }))
    return named.dev === opened.dev && named.ino === opened.ino ? real : ''
  }
}

const isUnder = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`))

const isNamedUnder = (path: string, roots: Roots): boolean =>
  isUnder(resolve(path), [...roots.named, ...roots.real])

const onSource = async <T>(path: string, call: Promise<T>): Promise<T> => {
  try {
    return await call
  } catch (error) {
    throw sourceError(path, error)
  }
}
