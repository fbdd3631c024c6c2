import type { IncomingMessage, ServerResponse } from 'node:http'
import { runExchange } from '../http/exchange.ts'
import type { FaultAction } from '../http/faults.ts'
import { close, listen, serverFor } from '../http/listening.ts'
import { type LedgerEntry, eventOf } from './ledger.ts'
import type { Site } from './site.ts'
import type { OpenServer, StoreExchange, StoreHost, StoreServer } from './stores/host.ts'
import { uriOf } from './uris.ts'

interface HostDeps {
  site: Site
  pick: (entry: LedgerEntry) => FaultAction | undefined
  closing: AbortSignal
}

/** What the stores of a site are given, their requests in the site's own ledger. */
export function createHost({ site, pick, closing }: HostDeps): StoreHost {
  const { settings, violations, hooks, faults, ledger, now, origin } = site
  return {
    siteOrigin: origin,
    directory: settings.directory,
    keepContent: settings.keepContent,
    upyunDelayMs: settings.upyunDelayMs,
    ledger: ledger.entries,
    faults,
    violations,
    hooks,
    now,
    closing,
    serve: (store) => serveStore({ site, pick, closing }, store),
  }
}

async function serveStore({ site, pick }: HostDeps, store: StoreServer): Promise<OpenServer> {
  let origin = 'http://127.0.0.1'

  function open(request: IncomingMessage, response: ServerResponse): StoreExchange {
    const { method = 'GET', url: rawUrl = '/', headers } = request
    const url = new URL(rawUrl, origin)
    const { operation, sessionId, chunkIndex } = store.targetOf({ method, url, headers })
    const session = site.sessions.ever(sessionId ?? '')
    const entry = site.ledger.open({
      operation,
      sessionId,
      chunkIndex,
      uri: session && uriOf(session.file.path),
      method,
      path: url.pathname,
      rawUrl,
      headers,
      user: session?.user.email,
      code: undefined,
    })
    return { request, response, socket: request.socket, url, entry, fault: pick(entry) }
  }

  const server = serverFor(site.violations, (request, response) =>
    runExchange(
      {
        process: store.process,
        faultReply: store.faultReply,
        announce: ({ entry }, phase) => site.hooks.onRequest?.(eventOf(entry, phase)),
      },
      open(request, response),
    ),
  )
  origin = await listen(server, store.port ?? 0)
  return { origin, [Symbol.asyncDispose]: () => close(server) }
}
