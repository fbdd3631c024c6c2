import { Agent, request as undiciRequest, type Dispatcher } from 'undici'
import { Readable } from 'node:stream'
import { openBody, type RequestBody } from './http/body.ts'
import { describeFailure } from './http/failure.ts'
import { createWatch, type Watch } from './http/watch.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: string
  /** What messages call this request, such as `PUT part 7`. Without query, host or secret. */
  readonly what: string
  readonly headers?: Readonly<Record<string, string>>
  /** A slice is streamed with its exact length, never chunked; none means `content-length: 0`. */
  readonly body?: RequestBody
  /** From first to last byte of the exchange. Absent: only the stall watchdog bounds it. */
  readonly totalMs?: number
  /** Most bytes of an answer that is read; 8 MiB unless given. */
  readonly largest?: number
  /** Hands a body below 400 over as `body` instead of reading it. */
  readonly stream?: boolean
}

export interface HttpAnswer {
  readonly status: number
  /** Names in lower case; of repeated headers other than `set-cookie` the first. */
  readonly header: (name: string) => string | undefined
  readonly setCookies: readonly string[]
  /** The body as text; error bodies are cut at 64 KiB. Empty when `body` is there. */
  readonly text: string
  /** Only for `stream`; destroys its connection when destroyed, fails when it stalls. */
  readonly body?: Readable
}

export interface HttpOptions {
  /** Not one byte either way for this long ends a request as `Unreachable`. */
  readonly stallMs: number
  readonly connectMs: number
  /** Once headers are there, a body that is read whole must be complete within this time. */
  readonly answerMs: number
}

export interface Http extends AsyncDisposable {
  /**
   * Sends one request, never follows a redirect and never retries. Answers whatever status came; throws
   * `Unreachable` when no whole answer came, and the signal's reason when aborted.
   */
  readonly send: (request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>
}

// A VRChat list page of 100 Files is about 300 KiB; an error page worth reading is much shorter.
const MAX_ANSWER = 8 * 1024 * 1024
const MAX_ERROR = 64 * 1024

/** What holds unless options say otherwise. */
export const httpDefaults: HttpOptions = { stallMs: 60_000, connectMs: 10_000, answerMs: 30_000 }

/** An HTTP client with its own connections and nothing shared: no cookies, no redirects, no retries. */
export const createHttp = (options: Partial<HttpOptions> = {}): Http => {
  const { connectMs, ...times } = { ...httpDefaults, ...options }
  // One HTTP/1.1 connection per request under way: callers bound how many that are, and a queue in here
  // would look like a stall. HTTP/2 would squeeze parallel parts into one flow-control window.
  const agent = new Agent({ allowH2: false, connections: null, connect: { timeout: connectMs } })
  return {
    send: (request, signal) => send(agent, request, createWatch(request, { ...times, signal })),
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

const send = async (agent: Agent, request: HttpRequest, watch: Watch): Promise<HttpAnswer> => {
  let source: Readable | undefined
  let streaming = false
  try {
    watch.signal.throwIfAborted()
    const body = openBody(request.body)
    source = body.stream
    watch.follow(source)
    const answer = await undiciRequest(originalUrl(request), {
      dispatcher: agent.compose(watch.interceptor),
      method: request.method,
      headers: { ...request.headers, ...body.headers },
      body: body.stream ?? body.text ?? null,
      signal: watch.signal,
      // Our watch bounds every wait, and undici's own limits would fire at other moments.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    streaming = request.stream === true && answer.statusCode < 400
    return await (streaming ? streamAnswer(answer, request, watch) : readAnswer(answer, request, watch))
  } catch (error) {
    throw describeFailure(error, request, watch)
  } finally {
    // A stream outlives this call; the watch then ends with it.
    if (!streaming) watch.stop()
    source?.destroy()
  }
}

// Node's own "Invalid URL" error carries the URL, and with it the signature in its query.
const originalUrl = (request: HttpRequest): URL => {
  const url = URL.parse(request.url)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(`${request.what}: the address is no http(s) URL`)
  }
  return url
}

const readAnswer = async (
  answer: Dispatcher.ResponseData,
  { largest = MAX_ANSWER }: HttpRequest,
  watch: Watch,
): Promise<HttpAnswer> => {
  watch.answering()
  const failed = answer.statusCode >= 400
  const { text, whole } = await readCapped(answer.body, failed ? MAX_ERROR : largest)
  // What an error says is known by its status, a success has to be read to its end.
  if (!whole && !failed) throw new Error(`answer of more than ${String(largest)} bytes`)
  return { ...headOf(answer), text }
}

const streamAnswer = (answer: Dispatcher.ResponseData, request: HttpRequest, watch: Watch): HttpAnswer => {
  const body = Readable.from(translated(answer.body, request, watch), { objectMode: false })
  body.once('close', () => {
    watch.stop()
    answer.body.destroy()
  })
  // Destroying it early is no failure, and one that nobody listens to would end the process.
  for (const stream of [body, answer.body]) stream.on('error', () => undefined)
  return { ...headOf(answer), text: '', body }
}

/** A stream's bytes, its failures told as those of the request. */
async function* translated(body: Readable, request: HttpRequest, watch: Watch): AsyncGenerator {
  try {
    yield* body
  } catch (error) {
    throw describeFailure(error, request, watch)
  }
}

const headOf = (answer: Dispatcher.ResponseData): Pick<HttpAnswer, 'status' | 'header' | 'setCookies'> => ({
  status: answer.statusCode,
  header: (name) => [answer.headers[name] ?? []].flat()[0],
  setCookies: [answer.headers['set-cookie'] ?? []].flat(),
})

const readCapped = async (body: Readable, cap: number): Promise<{ text: string; whole: boolean }> => {
  // Leaving the loop early destroys the body and its socket, which is also reported as an 'error' event.
  body.on('error', () => undefined)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes: unknown = chunk
    if (!(bytes instanceof Uint8Array)) continue
    chunks.push(bytes)
    size += bytes.length
    if (size > cap) return { text: textOf(chunks, cap), whole: false }
  }
  return { text: textOf(chunks, cap), whole: true }
}

const textOf = (chunks: readonly Uint8Array[], cap: number): string =>
  Buffer.concat(chunks).subarray(0, cap).toString('utf8')
