import type { Readable } from 'node:stream'
import { Agent, errors, request, type Dispatcher } from 'undici'
import { z } from 'zod'
import { Failed, NotReachable } from '../errors.ts'
import type { Address } from './connect.ts'
import { parseProblem, Refused } from './problem.ts'

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below the service's address, segments already encoded: see `at`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly idempotencyKey?: string
  /** Blanked in whatever the service says about this request. */
  readonly secrets?: readonly string[]
}

export interface Api extends AsyncDisposable {
  /** Throws `NotReachable`, `Refused`, and `Failed` for an answer that is not what was asked for. */
  readonly ask: <Answer>(ask: Ask, schema: z.ZodType<Answer>) => Promise<Answer>
  /** The body as it comes; whoever asked destroys it. */
  readonly stream: (
    ask: Ask,
  ) => Promise<{ readonly body: Readable; readonly header: (name: string) => string | undefined }>
}

// Some calls go on to the provider, which answers slowly, and takes one call at a time.
const ANSWER_MS = 120_000
const CONNECT_MS = 5_000
const STALL_MS = 60_000
// A list page is far smaller.
const MOST_ANSWER = 64 * 1024 * 1024

/** A path with each value as one encoded segment: at`/v1/uploads/${id}`. */
export const at = (texts: TemplateStringsArray, ...values: readonly (string | number)[]): string =>
  texts.map((text, index) => `${text}${segment(values[index])}`).join('')

// A URL swallows dots even when they are encoded, and then names something else.
const segment = (value: string | number | undefined): string => {
  if (value === '.' || value === '..') throw new Failed(`There is nothing called ${value}`)
  return value === undefined ? '' : encodeURIComponent(value)
}

/** The HTTP API, one request at a time; nothing is repeated here. */
export const createApi = (find: () => Address, signal: AbortSignal): Api => {
  const agent = new Agent({
    connect: { timeout: CONNECT_MS },
    headersTimeout: ANSWER_MS,
    bodyTimeout: STALL_MS,
    maxResponseSize: -1,
  })
  const send = async (ask: Ask): Promise<Dispatcher.ResponseData> => {
    const address = find()
    const answer = await reach(address, signal, () =>
      request(urlOf(address, ask), optionsOf(address, ask, { agent, signal })),
    )
    if (answer.statusCode < 300) return answer
    throw await refusalOf(address, ask, answer, signal)
  }
  return {
    ask: async (ask, schema) => {
      const answer = await send(ask)
      const text = await reach(find(), signal, () => readText(answer.body))
      return parseAnswer(text, schema)
    },
    stream: async (ask) => {
      const { body, headers } = await send(ask)
      // Whoever reads it sees the failure; a body that is dropped early tells nobody else.
      body.on('error', () => undefined)
      return { body, header: (name) => [headers[name] ?? []].flat()[0] }
    },
    // Whatever is under way is no longer wanted.
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

const urlOf = ({ url }: Address, { path, query = {} }: Ask): URL => {
  const full = new URL(`${url}${path}`)
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) full.searchParams.set(name, String(value))
  }
  return full
}

const optionsOf = (
  { token }: Address,
  { method = 'GET', body, idempotencyKey }: Ask,
  { agent, signal }: { readonly agent: Agent; readonly signal: AbortSignal },
) => ({
  dispatcher: agent,
  signal,
  method,
  headers: {
    accept: 'application/json, application/problem+json, */*',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  },
  body: body === undefined ? null : JSON.stringify(body),
})

/** Runs a step of the exchange; its failure means that there is no service, or no longer. */
const reach = async <T>({ url }: Address, signal: AbortSignal, step: () => Promise<T>): Promise<T> => {
  try {
    return await step()
  } catch (error) {
    signal.throwIfAborted()
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
    throw notReachable(url, { code, cause: error })
  }
}

const absent: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

const notReachable = (
  url: string,
  { code = 'no answer', cause }: { readonly code?: string | undefined; readonly cause: unknown },
): NotReachable =>
  new NotReachable(
    `The service does not answer at ${url} (${code}).\n` +
      'Start it with `npm start` (or `npm run serve` and `npm run worker`), or say where it is: ' +
      '--url, or STEVEDORE_HOST and STEVEDORE_PORT.',
    { lost: !absent.has(code) && !(cause instanceof errors.ConnectTimeoutError), cause },
  )

const refusalOf = async (
  address: Address,
  { secrets = [] }: Ask,
  { statusCode, body }: Dispatcher.ResponseData,
  signal: AbortSignal,
): Promise<Error> => {
  const text = await reach(address, signal, () => readText(body))
  const known = [address.token, ...secrets].filter((secret) => secret !== undefined && secret.length >= 4)
  const safe = known.reduce<string>(
    (rest, secret) => (secret === undefined ? rest : rest.replaceAll(secret, '…')),
    text,
  )
  const said = parseProblem(safe)
  if (statusCode !== 401) return new Refused(statusCode, said)
  const detail =
    address.token === undefined
      ? `there is no token in ${address.tokenFrom}: name the right folder with --data-dir, or the token with --token-file or STEVEDORE_TOKEN`
      : `the service does not know the token from ${address.tokenFrom}`
  return new Refused(401, { ...said, title: 'Not let in', detail })
}

const readText = async (body: Readable): Promise<string> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes: unknown = chunk
    if (!(bytes instanceof Uint8Array)) continue
    size += bytes.length
    if (size > MOST_ANSWER) throw new Error('an answer of more than 64 MiB')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parseAnswer = <Answer>(text: string, schema: z.ZodType<Answer>): Answer => {
  let json: unknown
  try {
    json = text === '' ? undefined : JSON.parse(text)
  } catch (error) {
    throw new Failed('The answer is no JSON; is this the address of Stevedore?', { cause: error })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new Failed(`The service answered something else than expected:\n${z.prettifyError(parsed.error)}`)
}
