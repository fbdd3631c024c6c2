import { buffer } from 'node:stream/consumers'
import { bytesOf, rawBytes, sha256Of, storedSize } from './entity-bytes.ts'
import type { EntityState, FileState, OpenSession, Placeholder } from './fake-cloudreve.ts'
import { primaryId } from './records.ts'
import type { Site } from './site.ts'
import type { Entity, FileRecord } from './tree.ts'
import { parseUri, uriOf } from './uris.ts'
import type { User } from './users.ts'

export interface Owned {
  user: User
  record: FileRecord
}

/** Files and folders of all users, but for the roots. */
export function everything({ users }: Site): Owned[] {
  return [...users.values()].flatMap((user) =>
    user.tree
      .all()
      .filter(({ path }) => path !== '')
      .map((record) => ({ user, record })),
  )
}

export async function filesState(site: Site): Promise<FileState[]> {
  const states: FileState[] = []
  for (const { user, record } of everything(site)) {
    const entities: EntityState[] = []
    for (const entity of record.entities) entities.push(await entityState(site, record, entity))
    states.push({
      uri: uriOf(record.path),
      user: user.email,
      id: record.id,
      type: record.type,
      size: record.primary?.size ?? 0,
      sha256: entities.find(({ isCurrent }) => isCurrent)?.sha256,
      metadata: Object.fromEntries(record.metadata),
      lastModified: record.updatedAt,
      primaryEntity: primaryId(site, record),
      entities,
    })
  }
  return states
}

async function entityState(
  { settings }: Site,
  { primary }: FileRecord,
  entity: Entity,
): Promise<EntityState> {
  const isDone = entity.sessionId === undefined
  return {
    id: entity.id,
    size: entity.size,
    storedSize: await storedSize(entity),
    sha256: isDone ? await sha256Of(entity, settings.keepContent) : undefined,
    policyId: entity.policy.id,
    encrypted: entity.encryption !== undefined,
    isCurrent: entity === primary,
    sessionId: entity.sessionId,
  }
}

export function placeholdersOf(site: Site): Placeholder[] {
  return everything(site).flatMap(({ user, record }) =>
    record.entities.flatMap(({ sessionId, charged }) =>
      sessionId === undefined
        ? []
        : {
            uri: uriOf(record.path),
            user: user.email,
            sessionId,
            reserved: charged,
            isLive: site.sessions.live(sessionId) !== undefined,
            isLocked: site.locks.on(user.email, record.path)?.sessionId === sessionId,
          },
    ),
  )
}

export function openSessions({ sessions }: Site): OpenSession[] {
  return sessions.all().map(({ id, file, user, policy, size, chunkSize, expires, received }) => ({
    id,
    uri: uriOf(file.path),
    user: user.email,
    policyId: policy.id,
    size,
    chunkSize,
    expires,
    received: [...received].toSorted((a, b) => a - b),
  }))
}

/** The current version of a file, or the entity with this id; throws when there is none. */
export function findEntity(site: Site, name: string, email?: string): Entity {
  const among = everything(site).filter(({ user }) => email === undefined || user.email === email)
  const path = name.startsWith('cloudreve://') ? parseUri(name).path : undefined
  const entity =
    path === undefined
      ? among.flatMap(({ record }) => record.entities).find(({ id }) => id === name)
      : among.find(({ record }) => record.path === path)?.record.primary
  if (entity === undefined) throw new Error(`there is no content of ${name}`)
  return entity
}

export async function contentsOf(entity: Entity, raw: boolean): Promise<Buffer> {
  return buffer(raw ? rawBytes(entity) : bytesOf(entity))
}
