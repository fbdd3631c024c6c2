import { drain } from '../http/bodies.ts'
import type { Outcome } from '../http/exchange.ts'
import { type Reply, json } from '../http/replies.ts'
import { authRoutes } from './auth-routes.ts'
import { callback } from './callback-routes.ts'
import { sendChunk } from './chunk-route.ts'
import { putContent } from './content-route.ts'
import { createSession } from './create-session.ts'
import { deleteSession } from './delete-session.ts'
import { download, downloadUrl } from './download-routes.ts'
import { ApiError, envelopeOf } from './envelope.ts'
import { capacity, createFile, deleteFile, info, unlock } from './file-routes.ts'
import type { SiteOperation } from './ledger.ts'
import { list } from './listing-route.ts'
import type { Handler, Site, SiteExchange } from './site.ts'
import { deleteVersion, setVersion } from './version-routes.ts'

const handlers: Record<Exclude<SiteOperation, 'unknown'>, Handler> = {
  ...authRoutes,
  createSession,
  deleteSession,
  sendChunk,
  putContent,
  list,
  info,
  createFile,
  setVersion,
  deleteVersion,
  deleteFile,
  downloadUrl,
  download,
  capacity,
  callback,
  unlock,
}

/** A callback is one with any method, so that a wrong one can be told. */
const routes: [method: string, path: RegExp, operation: SiteOperation][] = [
  ['GET', /^\/site\/ping$/, 'ping'],
  ['GET', /^\/site\/config\/(?<section>login|basic)$/, 'config'],
  ['GET', /^\/site\/captcha$/, 'captcha'],
  ['GET', /^\/session\/prepare$/, 'prepare'],
  ['POST', /^\/session\/token$/, 'login'],
  ['POST', /^\/session\/token\/2fa$/, 'twoFactor'],
  ['POST', /^\/session\/token\/refresh$/, 'refresh'],
  ['DELETE', /^\/session\/token$/, 'logout'],
  ['PUT', /^\/file\/upload$/, 'createSession'],
  ['DELETE', /^\/file\/upload$/, 'deleteSession'],
  ['POST', /^\/file\/upload\/(?<sessionId>[^/]+)\/(?<index>[^/]+)$/, 'sendChunk'],
  ['PUT', /^\/file\/content$/, 'putContent'],
  ['GET', /^\/file$/, 'list'],
  ['GET', /^\/file\/info$/, 'info'],
  ['POST', /^\/file\/create$/, 'createFile'],
  ['POST', /^\/file\/version\/current$/, 'setVersion'],
  ['DELETE', /^\/file\/version$/, 'deleteVersion'],
  ['DELETE', /^\/file$/, 'deleteFile'],
  ['DELETE', /^\/file\/lock$/, 'unlock'],
  ['POST', /^\/file\/url$/, 'downloadUrl'],
  ['GET', /^\/file\/content\/(?<entity>[^/]+)\/[^/]+\/[^/]*$/, 'download'],
  ['GET', /^\/user\/capacity$/, 'capacity'],
  ['*', /^\/callback\/(?<kind>[^/]+)\/(?<sessionId>[^/]+)\/(?<secret>[^/]+)$/, 'callback'],
]

export interface Route {
  operation: SiteOperation
  params: Record<string, string>
}

/** What a request asks for, by its method and whole path. */
export function routeOf(method: string, path: string): Route {
  const below = path.startsWith('/api/v4/') ? path.slice('/api/v4'.length) : ''
  for (const [wanted, pattern, operation] of routes) {
    const match = wanted === method || wanted === '*' ? pattern.exec(below) : null
    if (match !== null) return { operation, params: { ...match.groups } }
  }
  return { operation: 'unknown', params: {} }
}

/** Writes that SQLite may be too busy for, beside the completion of an upload. */
const writes = new Set<string>([
  'createSession',
  'deleteSession',
  'putContent',
  'createFile',
  'setVersion',
  'deleteVersion',
  'deleteFile',
])

/** Answers one request, whatever comes of it. */
export async function processSite(site: Site, exchange: SiteExchange): Promise<Outcome> {
  const { request, entry } = exchange
  try {
    const reply = await answer(site, exchange)
    if (reply.status === 200 && entry.operation !== 'download') entry.code ??= 0
    return reply
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    entry.code = error.code
    const id = request.headers['x-cr-correlation-id']
    return envelopeOf(error, typeof id === 'string' ? id : undefined)
  } finally {
    // A refusal early in the body would reach most clients as a reset; that is a fault of its own.
    if (!request.readableEnded && !request.destroyed) await drain(request, entry)
  }
}

function answer(site: Site, exchange: SiteExchange): Reply | Promise<Reply> {
  const { entry, request, fault } = exchange
  if (entry.operation === 'unknown' || entry.operation.includes('.')) {
    site.violations.push(`unknown: ${request.method} ${entry.path} is nothing that the site has`)
    return { status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' }
  }
  if (fault?.kind === 'expired') {
    throw entry.sessionId === undefined
      ? new ApiError(401, 'Login required')
      : new ApiError(40_011, 'Upload session expired')
  }
  const trouble = writes.has(entry.operation) ? site.busy() : undefined
  if (trouble !== undefined) throw trouble
  return handlerOf(entry.operation)(site, exchange)
}

function handlerOf(operation: string): Handler {
  const handler = new Map<string, Handler>(Object.entries(handlers)).get(operation)
  if (handler === undefined) throw new Error(`no handler for ${operation}`)
  return handler
}

/** What stands before the site answers with a page; the site itself says 400 and 401 in its envelope. */
export function siteFaultReply(status: number): Reply {
  if (status === 400 || status === 401) return json({ code: -1, msg: '' }, status)
  const body = `<html>\r\n<head><title>${status}</title></head>\r\n<body><center><h1>${status}</h1></center><hr><center>nginx</center></body>\r\n</html>\r\n`
  return { status, headers: { 'content-type': 'text/html', server: 'nginx' }, body }
}
