import type { IncomingMessage, ServerResponse } from 'node:http'
import { routeOf } from './routes.ts'
import type { Site, SiteExchange } from './site.ts'
import { parseUri, uriOf } from './uris.ts'
import { identify } from './users.ts'

/** Writes down a request as far as its head tells what it is; its fault is not drawn yet. */
export function openExchange(site: Site, request: IncomingMessage, response: ServerResponse): SiteExchange {
  const { method = 'GET', url: rawUrl = '/', headers } = request
  const url = new URL(rawUrl, site.origin)
  const { operation, params } = routeOf(method, url.pathname)
  const identity = identify(site, headers)
  const session = site.sessions.ever(params['sessionId'] ?? '')
  const entry = site.ledger.open({
    operation,
    sessionId: params['sessionId'],
    chunkIndex: params['index'] === undefined ? undefined : Number(params['index']),
    uri: session === undefined ? normalised(url.searchParams.get('uri')) : uriOf(session.file.path),
    method,
    path: url.pathname,
    rawUrl,
    headers,
    user: identity.claimed ?? (operation === 'callback' ? session?.user.email : undefined),
    code: undefined,
  })
  return {
    request,
    response,
    socket: request.socket,
    url,
    entry,
    identity,
    params,
    ends: [],
    fault: undefined,
  }
}

function normalised(uri: string | null): string | undefined {
  try {
    return uri === null ? undefined : uriOf(parseUri(uri).path)
  } catch {
    // The handler says what is wrong with it.
    return undefined
  }
}
