import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { request } from 'undici'
import { onTestFinished } from 'vitest'
import { createCloudreveFaults } from '../../../fakes/cloudreve/faults.ts'
import { createCloudreveLedger, eventOf } from '../../../fakes/cloudreve/ledger.ts'
import type { OpenServer, StoreHost, StoreServer } from '../../../fakes/cloudreve/stores/host.ts'
import type { Opened, Opening, Store } from '../../../fakes/cloudreve/stores/store.ts'
import { runExchange } from '../../../fakes/http/exchange.ts'
import { close, listen, serverFor } from '../../../fakes/http/listening.ts'

export const OCTETS = 'application/octet-stream'

export interface Called {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Stage {
  readonly host: StoreHost
  readonly store: Store
  /** What the site was told by the store. */
  readonly calls: Called[]
  /** What the site answers; undefined breaks the connection off. */
  answer: { status: number; body: string } | undefined
  /** How far the clock of the site is ahead, in ms. */
  aheadMs: number
  /** Opens a session for these bytes, in chunks of so many. */
  readonly open: (bytes: Buffer | number, chunkSize: number, more?: Partial<Opening>) => Promise<Opened>
}

export const KEY = "folder/a b+c'(ü).bin"

/** One store with a host around it, and a site that answers whatever it is told to. */
export async function stage(
  create: (host: StoreHost) => Promise<Store>,
  options: { keepContent?: boolean; upyunDelayMs?: number } = {},
): Promise<Stage> {
  const calls: Called[] = []
  const stage: { -readonly [Key in 'answer' | 'aheadMs']: Stage[Key] } = {
    answer: { status: 200, body: '{"code":0,"msg":""}' },
    aheadMs: 0,
  }
  const site = serverFor([], (incoming, response) =>
    answerCallback(calls, () => stage.answer, incoming, response),
  )
  const siteOrigin = await listen(site, 0)
  const directory = await mkdtemp(join(tmpdir(), 'stores-test-'))
  const closing = new AbortController()
  const host = hostOf({
    siteOrigin,
    directory,
    closing: closing.signal,
    ...options,
    now: () => Date.now() + stage.aheadMs,
  })
  const store = await create(host)
  onTestFinished(async () => {
    closing.abort()
    await store[Symbol.asyncDispose]()
    await close(site)
    await rm(directory, { recursive: true })
  })
  let sessions = 0
  return Object.assign(stage, {
    host,
    store,
    calls,
    open: async (bytes: Buffer | number, chunkSize: number, more: Partial<Opening> = {}) => {
      const sessionId = `session-${++sessions}`
      const size = typeof bytes === 'number' ? bytes : bytes.length
      return store.open({
        sessionId,
        key: KEY,
        size,
        chunkSize,
        mimeType: 'text/plain',
        expires: host.now() + 3_600_000,
        callbackUrl: `${siteOrigin}/api/v4/callback/${store.kind}/${sessionId}/secret`,
        ...more,
      })
    },
  })
}

async function answerCallback(
  calls: Called[],
  answer: () => Stage['answer'],
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  calls.push({ path: incoming.url ?? '', headers: incoming.headers, body: await textOf(incoming) })
  const told = answer()
  if (told === undefined) response.destroy()
  else response.writeHead(told.status, { 'content-type': 'application/json' }).end(told.body)
}

function hostOf({
  keepContent = true,
  upyunDelayMs = 5,
  ...rest
}: Pick<StoreHost, 'siteOrigin' | 'directory' | 'closing' | 'now'> & {
  keepContent?: boolean
  upyunDelayMs?: number
}): StoreHost {
  const ledger = createCloudreveLedger()
  const faults = createCloudreveFaults()
  const host: StoreHost = {
    ...rest,
    keepContent,
    upyunDelayMs,
    ledger: ledger.entries,
    faults,
    violations: [],
    hooks: {},
    serve: (server) => serve(host, { ledger, faults }, server),
  }
  return host
}

type Records = {
  ledger: ReturnType<typeof createCloudreveLedger>
  faults: ReturnType<typeof createCloudreveFaults>
}

async function serve(host: StoreHost, { ledger, faults }: Records, store: StoreServer): Promise<OpenServer> {
  const server = serverFor(host.violations, async (request, response) => {
    const { method = '', url: rawUrl = '', headers, socket } = request
    const url = new URL(rawUrl, origin)
    const { operation, sessionId, chunkIndex } = store.targetOf({ method, url, headers })
    const entry = ledger.open({
      operation,
      sessionId,
      chunkIndex,
      method,
      rawUrl,
      headers,
      path: url.pathname,
      user: undefined,
      uri: undefined,
      code: undefined,
    })
    await runExchange(
      { ...store, announce: ({ entry }, phase) => host.hooks.onRequest?.(eventOf(entry, phase)) },
      { request, response, socket, url, entry, fault: faults.pick(entry) },
    )
  })
  const origin = await listen(server, 0)
  return { origin, [Symbol.asyncDispose]: () => close(server) }
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  readonly json: unknown
}

interface Sent {
  readonly headers?: Record<string, string>
  /** Strings and buffers are sent with their length, streams chunked. */
  readonly body?: string | Buffer | AsyncIterable<Buffer>
}

/** One request exactly as it is told, with `application/octet-stream` unless it says otherwise. */
export async function send(
  method: string,
  url = '',
  { headers = {}, body = '' }: Sent = {},
): Promise<Answer> {
  const content = typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : body
  const answer = await request(url, {
    method,
    headers: { 'content-type': OCTETS, ...headers },
    body: Buffer.isBuffer(content) ? content : Readable.from(content),
  })
  const text = await answer.body.text()
  return { status: answer.statusCode, headers: answer.headers, text, json: parsed(text) }
}

/** Parts of so many bytes each. */
export function cut(bytes: Buffer, size: number): Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / size))
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
}

export function partList(etags: readonly unknown[], numbers = etags.map((_, index) => index + 1)): string {
  const parts = etags.map(
    (etag, at) => `<Part><PartNumber>${numbers[at]}</PartNumber><ETag>${String(etag)}</ETag></Part>`,
  )
  return `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
}

export function md5(bytes: Buffer | string): string {
  return createHash('md5').update(bytes).digest('hex')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
