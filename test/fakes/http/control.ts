import type { IncomingMessage, ServerResponse } from 'node:http'
import { json as readJson } from 'node:stream/consumers'
import type { Faults } from './faults.ts'
import type { LedgerEntry } from './ledger.ts'

/** What every fake shows of itself. */
export interface Inspectable {
  controlUrl: string
  ledger: readonly LedgerEntry[]
  violations: readonly string[]
  faults: Pick<Faults<never>, 'addUnchecked' | 'clear' | 'list'>
  totals: () => unknown
}

/** By method and path below `/control`. */
export type Endpoints<Fake> = Record<string, (fake: Fake, body: unknown, url: URL) => unknown>

/** What every fake can be asked by other processes. */
export const commonEndpoints: Endpoints<Inspectable> = {
  'GET /ledger': (fake, _, url) => {
    const since = Number(url.searchParams.get('since') ?? 0)
    const operation = url.searchParams.get('operation')
    return fake.ledger.filter(
      (entry) => entry.sequence > since && (operation === null || entry.operation === operation),
    )
  },
  'GET /violations': (fake) => fake.violations,
  'GET /faults': (fake) => fake.faults.list(),
  'POST /faults': (fake, body) => [body].flat().map((rule) => fake.faults.addUnchecked(rule)),
  'DELETE /faults': (fake) => {
    fake.faults.clear()
    return { ok: true }
  },
  'GET /totals': (fake) => fake.totals(),
}

/** Serves `/control/…`: the fake's insides for other processes. Faults do not reach it. */
export async function serveControl<Fake extends Inspectable>(
  fake: Fake,
  endpoints: Endpoints<Fake>,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  const url = new URL(request.url ?? '/', fake.controlUrl)
  const endpoint = endpoints[`${request.method} ${url.pathname.replace(/^\/control/, '')}`]
  try {
    if (endpoint === undefined)
      return answer(response, 404, { error: 'no such control', known: Object.keys(endpoints) })
    const hasBody = Number(request.headers['content-length'] ?? 0) > 0
    const body: unknown = hasBody ? await readJson(request) : undefined
    answer(response, 200, await endpoint(fake, body, url))
  } catch (error) {
    answer(response, 400, { error: String(error) })
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}
