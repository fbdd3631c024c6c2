import { z } from 'zod'
import type { Reply } from '../http/replies.ts'
import { ApiError, badParameter, success } from './envelope.ts'
import { existing } from './file-routes.ts'
import { lockViews } from './locks.ts'
import { dropEntity } from './records.ts'
import { ownUri, readBody, requireUser } from './requests.ts'
import type { Site, SiteExchange } from './site.ts'
import type { Entity, FileRecord } from './tree.ts'
import type { User } from './users.ts'

const versionSchema = z.object({ uri: z.string(), version: z.string() })

interface Named {
  user: User
  file: FileRecord
  entity: Entity
}

/** 40077 where the file has no such version. */
async function named(site: Site, exchange: SiteExchange): Promise<Named> {
  const { uri, version } = await readBody(site, exchange, versionSchema)
  const user = requireUser(exchange)
  const file = existing(user, ownUri(site, exchange, { user, text: uri }).path)
  const lock = site.locks.on(user.email, file.path)
  if (lock !== undefined) throw new ApiError(40_073, 'Lock conflict', { data: lockViews([lock]) })
  const entity = file.entities.find(({ id, sessionId }) => id === version && sessionId === undefined)
  if (entity === undefined) throw new ApiError(40_077, 'Entity not exist')
  return { user, file, entity }
}

/** `POST /file/version/current` */
export async function setVersion(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { file, entity } = await named(site, exchange)
  file.primary = entity
  return success()
}

/** `DELETE /file/version`, for any but the current one. */
export async function deleteVersion(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { user, file, entity } = await named(site, exchange)
  if (file.primary === entity) throw badParameter('the current version cannot be deleted')
  await dropEntity(user, file, entity)
  return success()
}
