import { ApiError } from './envelope.ts'
import { SESSION_MARK, makeCurrent } from './records.ts'
import type { Session } from './sessions.ts'
import type { Site } from './site.ts'

/** The placeholder becomes the current version: lock, marker and session go. */
export async function completeUpload(site: Site, session: Session): Promise<void> {
  // Since it was looked at last, bytes may have come in or a store been asked.
  if (site.sessions.live(session.id) !== session) throw new ApiError(40_011, 'Upload session expired')
  checkStillOurs(site, session)
  failIfWanted(site)
  const { user, file, entity, lastModified } = session
  if (entity.type === 'version') file.updatedAt = lastModified > 0 ? lastModified : Date.now()
  file.metadata.delete(SESSION_MARK)
  for (const [key, value] of Object.entries(session.metadata)) file.metadata.set(key, value)
  site.locks.release(session.lockToken)
  site.sessions.end(session.id)
  await makeCurrent(user, file, entity)
}

function failIfWanted({ switches, busy }: Site): void {
  const trouble = busy()
  if (trouble !== undefined) throw trouble
  if (switches.failCompletions === 0) return
  switches.failCompletions -= 1
  throw new ApiError(50_001, 'database is locked')
}

/** The placeholder must be there (40016), and the lock be held still (40073 without data), as it is not after a restart. */
export function checkStillOurs({ locks }: Site, { user, file, entity, lockToken }: Session): void {
  if (user.tree.get(file.path) !== file || !file.entities.includes(entity)) {
    throw new ApiError(40_016, 'Path not exist')
  }
  if (!locks.isHeld(lockToken)) throw new ApiError(40_073, 'Lock expired')
}
