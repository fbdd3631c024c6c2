import { realpathSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FatalError } from '#shared/errors.ts'
import type { Slice } from '#shared/providers/provider.ts'
import { type Fingerprint, fingerprintOf } from './fingerprint.ts'
import { type Roots, openSource } from './open.ts'
import { ownFileError } from './own-file.ts'
import { refused, sourceError } from './refusal.ts'
import { type Range, createSlice } from './slice.ts'

/** Where the bytes of an upload come from. */
export interface FileSource {
  readonly kind: 'file'
  /** Absolute, percent-decoded. */
  readonly path: string
}

export interface FileSources {
  /** What the file is now. Throws what `open` throws, so it also tells whether the file can be uploaded at all. */
  readonly fingerprint: (path: string) => Promise<Fingerprint>
  /**
   * A descriptor for reading. Throws `FatalError('source-refused')` for what can not be a source, `TryLater`
   * when too many files are open, `StartOver('source-changed')` when it is not the expected file.
   */
  readonly open: (path: string, expected?: Fingerprint) => Promise<FileHandle>
  /** Bytes of the expected file. Opens nothing until it is read; every stream has a descriptor of its own. */
  readonly slice: (path: string, expected: Fingerprint, range: Range) => Slice
}

/** Reads a source's URL. Throws `FatalError('source-refused')` with what to write instead. */
export const parseSource = (url: string): FileSource => {
  if (/^https?:/i.test(url)) {
    throw new FatalError(
      'source-refused',
      'https: sources are not supported yet: download the file, and name it by a file:// URL',
    )
  }
  if (!/^file:\/\//i.test(url)) {
    throw new FatalError('source-refused', 'A source is a URL such as file:///data/world.vrcw')
  }
  // The URL parser would drop or turn them without a word, and then mean another file.
  if (/[?#\\\p{Cc}]|^\s|\s$/u.test(url)) {
    throw refused(
      url,
      'contains ?, #, a backslash, or white space at an end: write these as %3F, %23, %5C or %20',
    )
  }
  const path = decode(url)
  if (path.includes('\0')) throw refused(url, 'contains a NUL byte, which no file name can')
  return { kind: 'file', path }
}

const decode = (url: string): string => {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw refused(url, 'is no usable file URL: write file:///folder/file, without a host', error)
  }
}

/**
 * Sources under these folders and nowhere else, whatever links there are. A folder may itself be a link; what
 * that means is settled now. Throws `FatalError('source-refused')` for a folder that is none.
 */
export const createFileSources = (roots: readonly string[]): FileSources => {
  const resolved = resolveRoots(roots)
  return {
    fingerprint: async (path) => {
      await using handle = await openSource(path, resolved)
      return fingerprintOf(await handle.stat({ bigint: true }))
    },
    open: (path, expected) => openSource(path, resolved, expected),
    slice: (path, expected, range) =>
      createSlice({ path, expected, range, open: () => openSource(path, resolved, expected) }),
  }
}

/**
 * Bytes of a file that the service itself wrote, such as a signature. Fails with `StartOver` if it is too short, and
 * with `HostTrouble` if it can not be opened: whoever comes again makes one that is gone anew.
 */
export const sliceOwnFile = (path: string, range: Range): Slice =>
  createSlice({ path, range, open: () => openOwnFile(path) })

const openOwnFile = async (path: string): Promise<FileHandle> => {
  try {
    return await open(path)
  } catch (error) {
    throw ownFileError(path, error)
  }
}

/** Resolves source roots, see `createFileSources`. */
export const resolveRoots = (roots: readonly string[]): Roots => ({
  named: roots.map((root) => resolve(root)),
  real: roots.map(realFolder),
})

const realFolder = (root: string): string => {
  const name = `Source root ${root}`
  try {
    const real = realpathSync(root)
    if (statSync(real).isDirectory()) return real
  } catch (error) {
    throw sourceError(name, error)
  }
  throw refused(name, 'is not a folder: name the folder that the files are in')
}
