import type { BigIntStats } from 'node:fs'
import { FatalError, HostTrouble, systemCodeOf } from '#shared/errors.ts'

// Descriptors come back as parts end, within seconds.
const DESCRIPTORS_AGAIN_MS = 2_000
// A share that is mounted again, a disk that is plugged in.
const DISK_AGAIN_MS = 5_000

/** A source that will never do as it is; `what` completes a sentence that begins with its name. */
export const refused = (path: string, what: string, cause?: unknown): FatalError =>
  new FatalError('source-refused', `${path} ${what}`, { cause })

/** A source that exists or not, but not where this service may read. */
export class OutsideRoots extends FatalError {
  override name = 'OutsideRoots'
}

export const outsideRoots = (path: string, roots: readonly string[]): OutsideRoots =>
  new OutsideRoots(
    'source-refused',
    `${path} is outside the source roots (${roots.join(', ')}), or a link leads it there: ` +
      'move it under one of them, or add its folder to STEVEDORE_SOURCE_ROOTS',
  )

/** Refuses everything but a regular file. */
export const assertRegular = (stats: BigIntStats, path: string): void => {
  if (stats.isFile()) return
  throw refused(path, whyNot(stats))
}

const whyNot = (stats: BigIntStats): string => {
  if (stats.isDirectory()) return 'is a folder: name the files in it, one upload each'
  if (stats.isFIFO()) return 'is a named pipe, which can be read only once: write it to a file first'
  if (stats.isSocket()) return 'is a socket: only regular files can be uploaded'
  return 'is a device: write an image of it to a file first'
}

const REFUSALS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist: check the spelling, and that its disk is mounted on this machine',
  ENOTDIR: 'does not exist, as one of its folders is a file: check the spelling',
  EACCES: 'is not readable for this service: let its user read the file and enter all folders above it',
  EPERM: 'is not readable for this service: let its user read the file and enter all folders above it',
  ELOOP: 'is a link that leads back to itself, or through too many others: link to the file directly',
  ENAMETOOLONG: 'has a longer name than this machine allows: rename it',
  // What open answers for a socket, or for a device without driver, that took the file's place.
  ENXIO: 'is a socket or an absent device: only regular files can be uploaded',
}

/**
 * What a failed file system call on a source means: a refusal; `HostTrouble` when this machine can not read it now,
 * as too many files are open or its disk or share is in trouble; the error itself when it is none of these.
 */
export const sourceError = (path: string, error: unknown): Error => {
  const code = systemCodeOf(error)
  const what = REFUSALS[code]
  if (what !== undefined) return refused(path, what, error)
  if (code === 'EMFILE' || code === 'ENFILE') {
    const message = `${path} could not be opened: too many files are open; raise \`ulimit -n\``
    return new HostTrouble(message, DESCRIPTORS_AGAIN_MS, { cause: error })
  }
  if (code === '') return new Error(`${path} could not be read`, { cause: error })
  const message = `${path} could not be read (${code}): check its disk or share, and that it is mounted`
  return new HostTrouble(message, DISK_AGAIN_MS, { cause: error })
}
