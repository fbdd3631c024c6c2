import type { Reply } from '../http/replies.ts'
import { ApiError, badParameter, success } from './envelope.ts'
import { existing, listingProps } from './file-routes.ts'
import { policyFor } from './records.ts'
import { queryUri, requireUser } from './requests.ts'
import type { Site, SiteExchange } from './site.ts'
import type { FileRecord } from './tree.ts'
import { type FileUri, nameOf } from './uris.ts'
import type { User } from './users.ts'
import { fileView, policyView } from './views.ts'

/** `GET /file`: one folder, or what a search finds below it. */
export function list(site: Site, exchange: SiteExchange): Reply {
  const user = requireUser(exchange)
  const uri = queryUri(site, exchange, user)
  const folder = existing(user, uri.path)
  if (folder.type === 'file') throw new ApiError(40_016, 'Path not exist')
  const records = ordered(found(user, uri), exchange.url.searchParams)
  const { page, pagination } = paged(site, records, exchange.url.searchParams)
  return success({
    files: page.map((record) => fileView(site, record)),
    parent: fileView(site, folder),
    pagination,
    storage_policy: policyView(site, policyFor(site, uri.path)),
    ...listingProps(site),
  })
}

function found({ tree }: User, { path, query }: FileUri): FileRecord[] {
  if (query.size === 0) return tree.children(path)
  return tree.below(path).filter((record) => [...query].every((condition) => fits(record, condition)))
}

/** An empty value asks whether the key is there at all. */
function fits({ metadata, path }: FileRecord, [field, value]: [string, string]): boolean {
  if (field === 'name') return nameOf(path).includes(value)
  if (!field.startsWith('meta_')) return true
  const actual = metadata.get(field.slice('meta_'.length))
  return actual !== undefined && (value === '' || actual === value)
}

/** Folders first, then by what was asked for. */
function ordered(records: FileRecord[], query: URLSearchParams): FileRecord[] {
  const by = query.get('order_by') ?? 'created_at'
  const sign = query.get('order_direction') === 'desc' ? -1 : 1
  return records.toSorted(
    (a, b) => Number(b.type === 'folder') - Number(a.type === 'folder') || sign * compare(by, a, b),
  )
}

function compare(by: string, a: FileRecord, b: FileRecord): number {
  if (by === 'size') return (a.primary?.size ?? 0) - (b.primary?.size ?? 0)
  if (by === 'updated_at') return a.updatedAt - b.updatedAt
  if (by === 'name') return a.path < b.path ? -1 : 1
  return a.createdAt - b.createdAt
}

const DEFAULT_PAGE = 100

function paged(
  { settings }: Site,
  records: FileRecord[],
  query: URLSearchParams,
): { page: FileRecord[]; pagination: Record<string, unknown> } {
  const size = Math.min(whole(query, 'page_size', DEFAULT_PAGE), settings.maxPageSize)
  const number = whole(query, 'page', 0)
  if (size === 0) throw badParameter('page_size must be at least 1')
  if (settings.paging === 'page') {
    const page = records.slice(number * size, (number + 1) * size)
    return { page, pagination: { page: number, page_size: size, total_items: records.length } }
  }
  const start = startOf(query.get('next_page_token'))
  const end = start + size
  const next = end < records.length ? { next_token: Buffer.from(`at ${end}`).toString('base64url') } : {}
  return {
    page: records.slice(start, end),
    pagination: { page: 0, page_size: size, is_cursor: true, ...next },
  }
}

function whole(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  if (!/^\d+$/.test(text)) throw badParameter(`${name} must be a number`)
  return Number(text)
}

/** Opaque to the client. */
function startOf(token: string | null): number {
  if (token === null || token === '') return 0
  const [, start] = /^at (\d+)$/.exec(Buffer.from(token, 'base64url').toString('utf8')) ?? []
  if (start === undefined) throw badParameter('next_page_token is not valid')
  return Number(start)
}
