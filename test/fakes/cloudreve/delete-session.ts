import { z } from 'zod'
import type { Reply } from '../http/replies.ts'
import { ApiError, success } from './envelope.ts'
import { lockViews } from './locks.ts'
import { SESSION_MARK, dropEntity } from './records.ts'
import { checkTicket, ownUri, readBody, requireUser } from './requests.ts'
import type { Site, SiteExchange } from './site.ts'
import type { Entity, FileRecord } from './tree.ts'
import type { User } from './users.ts'

const deleteSchema = z.object({ id: z.string(), uri: z.string() })

/** `DELETE /file/upload`, for live, expired and ended sessions alike. */
export async function deleteSession(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { id, uri } = await readBody(site, exchange, deleteSchema)
  exchange.entry.sessionId = id
  checkTicket(site, exchange)
  const user = requireUser(exchange)
  const session = site.sessions.ever(id)
  if (session !== undefined && session.user !== user) {
    site.violations.push(`deleteSession: ${user.email} deletes a session of ${session.user.email}`)
  }
  const file = user.tree.get(ownUri(site, exchange, { user, text: uri }).path)
  if (file === undefined) throw new ApiError(40_016, 'Path not exist')
  checkNotLockedByAnother(site, user, { file, id })

  // The marker goes in any case, also when the id is that of no entity here.
  file.metadata.delete(SESSION_MARK)
  const placeholder = file.entities.find(({ sessionId }) => sessionId === id)
  if (placeholder !== undefined) await cancel(site, user, { file, placeholder })
  return success()
}

function checkNotLockedByAnother(
  { locks }: Site,
  user: User,
  { file, id }: { file: FileRecord; id: string },
): void {
  const lock = locks.on(user.email, file.path)
  if (lock === undefined || lock.sessionId === id) return
  throw new ApiError(40_073, 'Lock conflict', { data: lockViews([lock]) })
}

async function cancel(
  site: Site,
  user: User,
  { file, placeholder }: { file: FileRecord; placeholder: Entity },
): Promise<void> {
  const id = placeholder.sessionId ?? ''
  const lock = site.locks.on(user.email, file.path)
  if (lock !== undefined) site.locks.release(lock.token)
  site.sessions.end(id)
  await dropEntity(user, file, placeholder)
  // An empty file that was there before has no entity either: it goes as well.
  if (file.entities.length === 0) user.tree.remove(file)
  if (placeholder.content.at === 'site') return
  const { store } = placeholder.content
  // The session row keeps neither address nor token of Qiniu's, so there is nothing to abort it with.
  if (store.kind === 'qiniu') throw new ApiError(-1)
  await store.abort(id)
}
