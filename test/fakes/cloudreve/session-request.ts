import { z } from 'zod'
import { ApiError, badParameter } from './envelope.ts'
import { lockViews } from './locks.ts'
import type { Policy } from './options.ts'
import { policyFor } from './records.ts'
import type { Site } from './site.ts'
import type { FileRecord } from './tree.ts'
import type { User } from './users.ts'

/** The body of `PUT /file/upload`. */
export const createSchema = z.object({
  uri: z.string(),
  size: z.int().nonnegative(),
  last_modified: z.int().optional(),
  mime_type: z.string().optional(),
  policy_id: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  entity_type: z.enum(['', 'version', 'live_photo']).optional(),
  encryption_supported: z.array(z.string()).optional(),
  previous: z.string().optional(),
})

export type Wanted = z.output<typeof createSchema>

const CATEGORIES = /^(?:customize|tag|props|thumb|dav):/

export function checkMetadata(metadata: Record<string, string>): void {
  const keys = Object.keys(metadata)
  if (keys.length > 256) throw badParameter('too many metadata')
  const odd = keys.find((key) => !CATEGORIES.test(key))
  if (odd !== undefined) throw new ApiError(40_001, `unknown metadata key ${odd}`)
}

/** The folder's own, whatever `policy_id` says; Pro listens to it. */
export function policyOf(
  { settings, abilities, ...site }: Site,
  { policy_id = '' }: Wanted,
  path: string,
): Policy {
  const named = settings.policies.find(({ id }) => id === policy_id)
  if (policy_id === '' && !abilities.previous) throw badParameter('policy_id is required')
  if (policy_id !== '' && named === undefined) throw badParameter('policy_id cannot be decoded')
  return (settings.pro ? named : undefined) ?? policyFor({ settings, abilities, ...site }, path)
}

export interface Place {
  user: User
  path: string
  existing: FileRecord | undefined
}

/** What exists comes before who has it locked. */
export function checkFree(
  { locks }: Site,
  { user, path, existing, entityType }: Place & { entityType: string },
): void {
  if (existing?.type === 'folder') throw new ApiError(40_004, 'Object existed')
  if (existing !== undefined && entityType === '') throw new ApiError(40_004, 'Object existed')
  if (existing === undefined && entityType === 'live_photo') throw new ApiError(40_016, 'Path not exist')
  const lock = locks.on(user.email, path)
  if (lock !== undefined) throw new ApiError(40_073, 'Lock conflict', { data: lockViews([lock]) })
}
