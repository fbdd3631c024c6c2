import { z } from 'zod'
import { readSmall } from '../http/bodies.ts'
import { ApiError, badParameter } from './envelope.ts'
import type { Site, SiteExchange } from './site.ts'
import { type FileUri, parseUri, uriOf } from './uris.ts'
import type { User } from './users.ts'

/** The caller; 401 for the anonymous, which who has a void token is as well. */
export function requireUser({ identity: { user } }: SiteExchange): User {
  if (user === undefined) throw new ApiError(401, 'Login required')
  if (user.status !== 'active') throw new ApiError(50_001, 'failed to load user')
  return user
}

/** The JSON body; 40001 when it is none or does not fit, a violation when it has more than the call knows. */
export async function readBody<Shape extends z.ZodRawShape>(
  site: Site,
  { request, entry }: SiteExchange,
  schema: z.ZodObject<Shape>,
): Promise<z.output<z.ZodObject<Shape>>> {
  const bytes = await readSmall(request, entry, 8 * 1024 * 1024)
  const type = request.headers['content-type'] ?? 'none'
  if (!type.startsWith('application/json')) {
    site.violations.push(`${entry.operation}: a JSON body with Content-Type ${type}`)
  }
  const body = parsed(bytes?.toString('utf8') ?? '')
  for (const field of unknownFields(body, schema)) {
    site.violations.push(`${entry.operation}: unknown field ${field} in the body`)
  }
  const { success, data, error } = schema.safeParse(body)
  if (!success) throw badParameter(z.prettifyError(error))
  return data
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw badParameter('invalid JSON')
  }
}

function unknownFields(body: unknown, { shape }: z.ZodObject): string[] {
  return body instanceof Object ? Object.keys(body).filter((field) => !(field in shape)) : []
}

/** A URI of the caller's own files; written into the ledger. Violations where it is not escaped as it should be. */
export function ownUri(site: Site, { entry }: SiteExchange, { user, text }: UriOf): FileUri {
  const uri = parseUri(text)
  if (uri.careless !== undefined) {
    site.violations.push(`${entry.operation}: in the uri ${text} ${uri.careless}`)
  }
  if (uri.fileSystem !== 'my') throw new ApiError(404, 'file system not found')
  if (uri.fileSystemId !== undefined && uri.fileSystemId !== user.id) {
    throw new ApiError(403, 'Permission denied')
  }
  entry.uri = uriOf(uri.path)
  return uri
}

interface UriOf {
  user: User
  text: string
}

/** A URI out of the query, which has it escaped once more. */
export function queryUri(site: Site, exchange: SiteExchange, user: User): FileUri {
  const text = exchange.url.searchParams.get('uri')
  if (text === null) throw badParameter('uri is required')
  return ownUri(site, exchange, { user, text })
}

/** What a share that was paid for wants to see. */
export function checkTicket(site: Site, { request }: SiteExchange): void {
  const wanted = site.settings.purchaseTicket
  if (wanted === undefined || request.headers['x-cr-purchase-ticket'] === wanted) return
  throw new ApiError(403, 'A purchase ticket is needed')
}

/** Bytes that the body will have; 40001 when the request does not say. */
export function announcedLength(site: Site, { request: { headers }, entry }: SiteExchange): number {
  const text = headers['x-expected-entity-length'] ?? headers['content-length']
  if (headers['transfer-encoding'] !== undefined && headers['x-expected-entity-length'] === undefined) {
    site.violations.push(`${entry.operation}: the body was sent chunked, without its length`)
  }
  if (typeof text !== 'string' || !/^\d+$/.test(text)) throw badParameter('Content-Length is required')
  return Number(text)
}
