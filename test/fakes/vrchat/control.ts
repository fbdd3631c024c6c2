import type { IncomingMessage, ServerResponse } from 'node:http'
import { json as readJson } from 'node:stream/consumers'
import { z } from 'zod'
import type { FakeVrchat } from './fake-vrchat.ts'

const userSchema = z.strictObject({
  username: z.string(),
  password: z.string(),
  secondFactor: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('none') }),
      z.strictObject({ kind: z.literal('totp'), secret: z.string() }),
      z.strictObject({ kind: z.literal('emailOtp'), code: z.string() }),
    ])
    .default({ kind: 'none' }),
  recoveryCodes: z.array(z.string()).default([]),
})

const versionSchema = z.strictObject({ fileId: z.string(), version: z.int() })

type Endpoint = (fake: FakeVrchat, body: unknown, url: URL) => unknown

const endpoints: Record<string, Endpoint> = {
  'GET /ledger': (fake, _, url) => {
    const since = Number(url.searchParams.get('since') ?? 0)
    const operation = url.searchParams.get('operation')
    return fake.ledger.filter(
      (entry) => entry.sequence > since && (operation === null || entry.operation === operation),
    )
  },
  'GET /state': (fake) => ({
    files: fake.files,
    openVersions: fake.openVersions(),
    maxOpenVersions: fake.maxOpenVersions,
  }),
  'GET /accounts': (fake, _, url) => fake.accountStats(url.searchParams.get('user') ?? ''),
  'GET /violations': (fake) => fake.violations,
  'GET /totals': (fake) => fake.totals(),
  'GET /faults': (fake) => fake.faults.list(),
  'POST /faults': (fake, body) => [body].flat().map((rule) => fake.faults.addUnchecked(rule)),
  'DELETE /faults': (fake) => {
    fake.faults.clear()
    return { ok: true }
  },
  'POST /expire-sessions': (fake) => {
    fake.expireSessions()
    return { ok: true }
  },
  'POST /tamper': async (fake, body) => {
    const { fileId, version } = versionSchema.parse(body)
    await fake.tamper(fileId, version)
    return { ok: true }
  },
  'POST /users': (fake, body) => {
    fake.addUser(userSchema.parse(body))
    return { ok: true }
  },
}

/** Serves `/control/…`: the fake's insides for other processes. Faults do not reach it. */
export async function serveControl(
  fake: FakeVrchat,
  request: IncomingMessage,
  response: ServerResponse,
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
