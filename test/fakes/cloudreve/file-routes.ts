import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Reply } from '../http/replies.ts'
import { ApiError, success } from './envelope.ts'
import { lockViews } from './locks.ts'
import { checkNames, dropRecord, ensureFolder, newRecord } from './records.ts'
import { ownUri, queryUri, readBody, requireUser } from './requests.ts'
import type { Site, SiteExchange } from './site.ts'
import type { FileRecord } from './tree.ts'
import { parentOf } from './uris.ts'
import type { User } from './users.ts'
import { extendedInfo, fileView } from './views.ts'

/** The file that this URI names; 40016 where there is none. */
export function existing(user: User, path: string): FileRecord {
  const record = user.tree.get(path)
  if (record === undefined) throw new ApiError(40_016, 'Path not exist')
  return record
}

/** `GET /file/info`, by uri or id. */
export function info(site: Site, exchange: SiteExchange): Reply {
  const user = requireUser(exchange)
  const id = exchange.url.searchParams.get('id')
  const record =
    id === null
      ? existing(user, queryUri(site, exchange, user).path)
      : user.tree.all().find((other) => other.id === id)
  if (record === undefined) throw new ApiError(40_016, 'Path not exist')
  const extended = exchange.url.searchParams.get('extended') === 'true'
  return success({
    ...fileView(site, record),
    ...(extended && { extended_info: extendedInfo(site, user, record) }),
  })
}

const createSchema = z.object({
  uri: z.string(),
  type: z.enum(['folder', 'file']),
  err_on_conflict: z.boolean().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
})

/** `POST /file/create`: an empty file or a folder, with its parents. */
export async function createFile(site: Site, exchange: SiteExchange): Promise<Reply> {
  const wanted = await readBody(site, exchange, createSchema)
  const user = requireUser(exchange)
  const { path } = ownUri(site, exchange, { user, text: wanted.uri })
  const found = user.tree.get(path)
  if (found !== undefined) {
    const refused = wanted.err_on_conflict === true || found.type !== wanted.type
    if (refused) throw new ApiError(40_004, 'Object existed')
    return success(fileView(site, found))
  }
  checkNames(path)
  ensureFolder(site, user, parentOf(path))
  const record = newRecord(site, user, { type: wanted.type, path })
  for (const [key, value] of Object.entries(wanted.metadata ?? {})) record.metadata.set(key, value)
  return success(fileView(site, record))
}

const deleteSchema = z.object({
  uris: z.array(z.string()).min(1),
  unlink: z.boolean().optional(),
  skip_soft_delete: z.boolean().optional(),
})

/** So many at once; more is 40074. */
const BATCH = 3000

/** `DELETE /file`: all that can be; 40081 tells what could not. Without `skip_soft_delete` into the trash. */
export async function deleteFile(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { uris, skip_soft_delete: forGood = false } = await readBody(site, exchange, deleteSchema)
  const user = requireUser(exchange)
  if (uris.length > BATCH) throw new ApiError(40_074, 'Too many uris')
  const problems: Record<string, { code: number; msg: string }> = {}
  for (const text of uris) {
    try {
      const { path } = ownUri(site, exchange, { user, text })
      await deleteOne(site, user, { record: existing(user, path), forGood })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      problems[text] = { code: error.code, msg: error.message }
    }
  }
  if (Object.keys(problems).length === 0) return success()
  throw new ApiError(40_081, 'Some objects could not be processed', { aggregated: problems })
}

async function deleteOne(
  site: Site,
  user: User,
  { record, forGood }: { record: FileRecord; forGood: boolean },
): Promise<void> {
  const locks = site.locks.within(user.email, record.path)
  if (locks.length > 0) throw new ApiError(40_073, 'Lock conflict', { data: lockViews(locks) })
  if (forGood) return dropRecord(user, record)
  // What is in the trash counts against the quota still.
  for (const each of [record, ...user.tree.below(record.path)].toReversed()) user.tree.remove(each)
  user.trash.push(record)
}

const unlockSchema = z.object({ tokens: z.array(z.string()).min(1) })

/** `DELETE /file/lock`: by force. */
export async function unlock(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { tokens } = await readBody(site, exchange, unlockSchema)
  requireUser(exchange)
  for (const token of tokens) site.locks.release(token)
  return success()
}

export function capacity(_: Site, exchange: SiteExchange): Reply {
  const { quota, used } = requireUser(exchange)
  // JSON has no infinity.
  return success({ total: Number.isFinite(quota) ? quota : Number.MAX_SAFE_INTEGER, used })
}

/** What a listing says about itself. */
export const listingProps = ({ settings }: Site): Record<string, unknown> => ({
  props: {
    capability: '',
    max_page_size: settings.maxPageSize,
    order_by_options: ['name', 'size', 'updated_at', 'created_at'],
    order_direction_options: ['asc', 'desc'],
  },
  context_hint: randomUUID(),
  mixed_type: false,
})
