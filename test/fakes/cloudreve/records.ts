import { randomBytes } from 'node:crypto'
import type { Site } from './site.ts'
import type { Policy } from './options.ts'
import type { Entity, FileRecord } from './tree.ts'
import { nameOf, nameProblem, parentOf } from './uris.ts'
import type { User } from './users.ts'
import { ApiError } from './envelope.ts'

export const SESSION_MARK = 'sys:upload_session_id'

/** The folder at this path, made with its parents where it is missing; 40004 where a file is in the way. */
export function ensureFolder(site: Site, user: User, path: string): FileRecord {
  const found = user.tree.get(path)
  if (found?.type === 'file') throw new ApiError(40_004, 'Object existed')
  if (found !== undefined) return found
  if (path !== '') ensureFolder(site, user, parentOf(path))
  return newRecord(site, user, { type: 'folder', path })
}

/** The file at this path, with no content; the folder must exist. */
export function newRecord(
  site: Site,
  user: User,
  { type, path }: Pick<FileRecord, 'type' | 'path'>,
): FileRecord {
  const now = Date.now()
  const record: FileRecord = {
    id: site.newId(),
    type,
    path,
    createdAt: now,
    updatedAt: now,
    metadata: new Map(),
    entities: [],
    primary: undefined,
  }
  user.tree.put(record)
  return record
}

/** Every segment: parents are created along the way. */
export function checkNames(path: string): void {
  const names = path === '' ? [''] : path.split('/').slice(1)
  for (const name of names) {
    const problem = nameProblem(name)
    if (problem !== undefined) throw new ApiError(40_052, problem)
  }
}

/** Name, suffix and size against the policy's rules. */
export function checkPolicy(policy: Policy, path: string, size: number): void {
  if (policy.maxSize > 0 && size > policy.maxSize) throw new ApiError(40_049, 'File is too large')
  const name = nameOf(path)
  if (hasGoodSuffix(policy, name) && hasGoodName(policy, name)) return
  throw new ApiError(40_052, 'This file name is not allowed by the storage policy')
}

function hasGoodSuffix({ allowedSuffix, deniedSuffix }: Policy, name: string): boolean {
  const suffix = name.includes('.') ? name.slice(name.lastIndexOf('.') + 1).toLowerCase() : ''
  return (allowedSuffix?.includes(suffix) ?? true) && !(deniedSuffix?.includes(suffix) ?? false)
}

function hasGoodName({ allowedNameRegexp, deniedNameRegexp }: Policy, name: string): boolean {
  const isDenied = deniedNameRegexp !== undefined && new RegExp(deniedNameRegexp).test(name)
  return !isDenied && (allowedNameRegexp === undefined || new RegExp(allowedNameRegexp).test(name))
}

export function checkQuota(user: User, size: number): void {
  if (user.used + size > user.quota) throw new ApiError(40_051, 'Insufficient capacity')
}

/** Who sends `previous` wants to replace just that. */
export function checkPrevious(site: Site, file: FileRecord | undefined, previous: string | undefined): void {
  if (!site.abilities.previous || previous === undefined || previous === '') return
  if (file === undefined || primaryId(site, file) === previous) return
  throw new ApiError(40_076, 'This file was changed by somebody else')
}

/** The hash of 0 where there is no content. */
export function primaryId(site: Site, { primary }: FileRecord): string {
  return primary?.id ?? site.hashId(0)
}

/** Counts against the quota from now on. */
export function charge(user: User, entity: Entity, bytes: number): void {
  user.used += bytes - entity.charged
  entity.charged = bytes
}

export function newEntity(
  site: Site,
  fields: Pick<Entity, 'size' | 'policy' | 'sessionId' | 'content'> & Partial<Entity>,
): Entity {
  return {
    id: site.newId(),
    type: 'version',
    createdAt: Date.now(),
    encryption: undefined,
    charged: 0,
    tampered: false,
    ...fields,
  }
}

/** A random key, and an IV as the options have it. */
export function newEncryption({ settings }: Site): NonNullable<Entity['encryption']> {
  return { key: randomBytes(32), iv: Buffer.from(settings.encryptionIv ?? randomBytes(16)) }
}

/** The version is current from now on; without retention the earlier ones go. */
export async function makeCurrent(user: User, file: FileRecord, entity: Entity): Promise<void> {
  entity.sessionId = undefined
  charge(user, entity, entity.size)
  if (entity.type === 'livePhoto') return
  file.primary = entity
  if (user.versionRetention) return
  for (const other of file.entities.filter(({ type }) => type === 'version')) {
    if (other !== entity && other.sessionId === undefined) await dropEntity(user, file, other)
  }
}

/** Content, quota and all. */
export async function dropEntity(user: User, file: FileRecord, entity: Entity): Promise<void> {
  file.entities = file.entities.filter((other) => other !== entity)
  charge(user, entity, 0)
  const { content } = entity
  if (content.at === 'site') await content.blob.remove()
  else await content.store.remove(content.key)
}

/** For good, with all below it. */
export async function dropRecord(user: User, record: FileRecord): Promise<void> {
  for (const each of [record, ...user.tree.below(record.path)].toReversed()) {
    for (const entity of each.entities) await dropEntity(user, each, entity)
    user.tree.remove(each)
  }
}

/** The policy that new uploads to this path use: that of the longest folder around it. */
export function policyFor({ settings: { policies } }: Site, path: string): Policy {
  const around = policies
    .filter(({ folder }) => folder !== undefined && `${path}/`.startsWith(`${folder}/`))
    .toSorted((a, b) => (b.folder ?? '').length - (a.folder ?? '').length)
  return around[0] ?? policies.find(({ folder }) => folder === undefined) ?? policies[0]
}
