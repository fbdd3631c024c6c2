import type { Logger } from 'pino'
import { isEnded, UnknownRecord } from '#shared/records/upload.ts'
import type { Uploads } from '#shared/records/uploads.ts'
import type { Contents } from './contents.ts'

const HOUR_MS = 60 * 60 * 1000

interface Deps {
  readonly uploads: Uploads
  readonly contents: Contents
  readonly log: Logger
}

/** Now and every hour, drops what this machine keeps for uploads that ended or began a new epoch. */
export function startSweep({ uploads, contents, log }: Deps): Disposable {
  const isWanted = async (upload: string, epoch: number): Promise<boolean> => {
    try {
      const record = await uploads.read(upload)
      return record !== undefined && !isEnded(record.state) && record.epoch === epoch
    } catch (error) {
      // Whoever can read it will know; one such record must not keep all others from being swept.
      if (error instanceof UnknownRecord) return true
      throw error
    }
  }
  const sweep = (): void => {
    contents.sweep(isWanted).catch((error: unknown) => log.warn({ err: error }, 'could not sweep; later'))
  }
  sweep()
  const timer = setInterval(sweep, HOUR_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
