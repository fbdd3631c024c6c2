import { dirname } from 'node:path'
import { HostTrouble, systemCodeOf } from '#shared/errors.ts'

// Room comes from a person, or from uploads that end.
const AGAIN_MS = 5_000

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full: make room, or set STEVEDORE_DATA_DIR to a folder on another',
  EDQUOT: 'its quota is used up: make room, or set STEVEDORE_DATA_DIR to another folder',
  EFBIG: 'it would be larger than allowed: raise `ulimit -f`, or use a file system for large files',
  EROFS: 'its disk is mounted read-only: mount it for writing, or set STEVEDORE_DATA_DIR to another',
  EACCES: 'this service may not write there: let its user own the folder',
  EPERM: 'this service may not write there: let its user own the folder',
  EMFILE: 'too many files are open: raise `ulimit -n`',
  ENFILE: 'too many files are open on this machine',
}

/**
 * What it means that a file of our own could not be made, written or opened: `HostTrouble`, whatever the system says, as it
 * is never the upload's fault. Errors of other kinds are answered as they are.
 */
export const ownFileError = (path: string, error: unknown): unknown => {
  const code = systemCodeOf(error)
  if (code === '') return error
  const why = REASONS[code] ?? `${code}: make it a folder that can be written to`
  return new HostTrouble(`The folder ${dirname(path)} can not be used: ${why}`, AGAIN_MS, { cause: error })
}
