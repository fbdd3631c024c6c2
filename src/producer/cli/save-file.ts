import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { link, lstat, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Failed } from './errors.ts'

interface Saving {
  readonly overwrite: boolean
  readonly signal: AbortSignal
}

/** Writes the bytes to a file that appears whole or not at all. Throws `Failed` rather than replace one unasked. */
export const saveFile = async (
  body: Readable,
  path: string,
  { overwrite, signal }: Saving,
): Promise<void> => {
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.part`)
  try {
    await pipeline(body, createWriteStream(draft, { flags: 'wx' }), { signal })
    if (overwrite) await rename(draft, path)
    else await putInPlace(draft, path)
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Throws `Failed` when something is there. */
export const refuseOverwriting = async (path: string): Promise<void> => {
  try {
    await lstat(path)
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return
    throw error
  }
  throw new Failed(`${path} is there already: --force replaces it, -o names another`)
}

/** Unlike a rename, a link fails when another file came there meanwhile. */
const putInPlace = async (draft: string, path: string): Promise<void> => {
  try {
    await link(draft, path)
  } catch (error) {
    if (isFileError(error, 'EEXIST')) return refuseOverwriting(path)
    // Some file systems know no links.
    await refuseOverwriting(path)
    await rename(draft, path)
  }
}

const isFileError = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code
