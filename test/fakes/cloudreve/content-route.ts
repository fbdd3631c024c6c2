import { countedBody } from '../http/bodies.ts'
import type { Reply } from '../http/replies.ts'
import { alteration } from '../http/spoilt.ts'
import { encrypted } from './content.ts'
import { ApiError, success } from './envelope.ts'
import { lockViews } from './locks.ts'
import {
  SESSION_MARK,
  checkNames,
  checkPolicy,
  checkPrevious,
  checkQuota,
  dropEntity,
  ensureFolder,
  makeCurrent,
  newEncryption,
  newEntity,
  newRecord,
  policyFor,
} from './records.ts'
import { announcedLength, queryUri, requireUser } from './requests.ts'
import type { Site, SiteExchange } from './site.ts'
import type { Entity, FileRecord } from './tree.ts'
import { parentOf } from './uris.ts'
import type { User } from './users.ts'
import { fileView } from './views.ts'

/** `PUT /file/content`: a file, or a version of one, in a single request that the site relays by itself. */
export async function putContent(site: Site, exchange: SiteExchange): Promise<Reply> {
  const user = requireUser(exchange)
  const { path } = queryUri(site, exchange, user)
  const size = announcedLength(site, exchange)
  if (size > site.settings.maxEditSize) throw new ApiError(40_049, 'File is too large')
  check(site, exchange, { user, path, size })
  const lock = site.locks.take({ user: user.email, path, sessionId: undefined, expires: Infinity })
  try {
    const entity = await store(site, exchange, { path, size })
    const file = await place(site, user, { path, entity })
    return success(fileView(site, file))
  } finally {
    site.locks.release(lock.token)
  }
}

interface Sent {
  path: string
  size: number
}

function check(site: Site, { url }: SiteExchange, { user, path, size }: Sent & { user: User }): void {
  const existing = user.tree.get(path)
  if (existing?.type === 'folder') throw new ApiError(40_004, 'Object existed')
  const lock = site.locks.on(user.email, path)
  if (lock !== undefined) throw new ApiError(40_073, 'Lock conflict', { data: lockViews([lock]) })
  checkNames(path)
  checkPolicy(policyFor(site, path), path, size)
  checkQuota(user, size)
  checkPrevious(site, existing, url.searchParams.get('previous') ?? undefined)
}

async function store(
  site: Site,
  { request, entry, fault }: SiteExchange,
  { path, size }: Sent,
): Promise<Entity> {
  const policy = policyFor(site, path)
  const blob = site.disk.create()
  const encryption = policy.encryption && site.abilities.encryption ? newEncryption(site) : undefined
  const body = alteration(fault, size)(countedBody(request, entry))
  try {
    await blob.write(0, encryption === undefined ? body : encrypted(body, encryption))
    if (entry.bytes !== size) throw new ApiError(50_004, `IO failed: ${entry.bytes} bytes came`)
  } catch (error) {
    await blob.remove()
    throw error
  }
  return newEntity(site, { size, policy, sessionId: undefined, content: { at: 'site', blob }, encryption })
}

/** An upload of the same file that lost its lock is over with this. */
async function place(
  site: Site,
  user: User,
  { path, entity }: { path: string; entity: Entity },
): Promise<FileRecord> {
  ensureFolder(site, user, parentOf(path))
  const file = user.tree.get(path) ?? newRecord(site, user, { type: 'file', path })
  for (const stale of file.entities.filter(({ sessionId }) => sessionId !== undefined)) {
    await dropEntity(user, file, stale)
  }
  file.metadata.delete(SESSION_MARK)
  file.entities.push(entity)
  file.updatedAt = Date.now()
  await makeCurrent(user, file, entity)
  return file
}
