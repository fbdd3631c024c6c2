import { isEnded } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { eventually } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'

/** How long one test may take. Some seconds are enough; but a machine may have much else to do. */
export const PATIENCE_MS = 180_000

/** Nobody dies here, and a machine that is too busy must not make it look so. */
export const steady = {
  STEVEDORE_LOCK_MS: '20000',
  STEVEDORE_STALLED_MS: '5000',
  STEVEDORE_RECONCILE_MS: '5000',
  STEVEDORE_HASH_THREADS: '1',
}

const hasEnded = ({ state }: UploadRecord): boolean => isEnded(state)

/** Waits until the upload ended, whatever way, or until the given check holds. */
export function patiently(
  { stores }: Pick<Service, 'stores'>,
  id: string,
  check = hasEnded,
): Promise<UploadRecord> {
  return eventually(async () => {
    const record = await stores.uploads.read(id)
    return record !== undefined && check(record) && record
  }, PATIENCE_MS - 10_000)
}
