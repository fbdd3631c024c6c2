import type { Policy } from './options.ts'
import { policyFor, primaryId } from './records.ts'
import type { Site } from './site.ts'
import type { Entity, FileRecord } from './tree.ts'
import { nameOf, uriOf } from './uris.ts'
import type { User } from './users.ts'

/** FileResponse, as listing, info and creation answer it. */
export function fileView(site: Site, record: FileRecord): Record<string, unknown> {
  const { metadata } = record
  return {
    type: record.type === 'file' ? 0 : 1,
    id: record.id,
    name: nameOf(record.path),
    created_at: new Date(record.createdAt).toISOString(),
    updated_at: new Date(record.updatedAt).toISOString(),
    size: record.primary?.size ?? 0,
    metadata: metadata.size === 0 ? null : Object.fromEntries(metadata),
    path: uriOf(record.path),
    owned: true,
    ...(record.type === 'file' && { primary_entity: primaryId(site, record) }),
  }
}

export function extendedInfo(site: Site, user: User, record: FileRecord): Record<string, unknown> {
  const finished = record.entities.filter(({ sessionId }) => sessionId === undefined)
  return {
    storage_policy: policyView(site, record.primary?.policy ?? policyFor(site, record.path)),
    storage_used: finished.reduce((total, { size }) => total + size, 0),
    entities: finished.map((entity) => entityView(site, user, entity)),
  }
}

function entityView(site: Site, user: User, entity: Entity): Record<string, unknown> {
  return {
    id: entity.id,
    size: entity.size,
    type: entity.type === 'version' ? 0 : 2,
    created_at: new Date(entity.createdAt).toISOString(),
    storage_policy: policyView(site, entity.policy),
    created_by: { id: user.id, email: user.email, nickname: user.email.split('@')[0] },
    ...(entity.encryption && { encrypted_with: 'aes-256-ctr' }),
  }
}

/** `storage_policy` without what it does not set; what the version does not know is not told. */
export function policyView({ abilities }: Site, policy: Policy): Record<string, unknown> {
  const { id, name, type, maxSize, relay, encryption, chunkConcurrency } = policy
  return {
    id,
    name,
    type,
    max_size: maxSize,
    allowed_suffix: policy.allowedSuffix,
    denied_suffix: policy.deniedSuffix,
    allowed_name_regexp: policy.allowedNameRegexp,
    denied_name_regexp: policy.deniedNameRegexp,
    ...(relay && { relay }),
    ...(abilities.chunkConcurrency && { chunk_concurrency: chunkConcurrency }),
    ...(abilities.encryption && encryption && { encryption }),
  }
}
