import { z } from 'zod'
import { failureOf, nonsense } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import { AccountParked, FatalError } from '#shared/errors.ts'

interface Asked {
  readonly url: string
  readonly what: string
}

/** VRChat understood a request and will not do it. `status` is the real one, even if another was sent. */
export class Refusal extends FatalError {
  override name = 'Refusal'
  readonly status: number

  constructor(status: number, message: string) {
    super(status === 400 || status === 422 ? 'bad-request' : 'refused', message)
    this.status = status
  }
}

export interface ApiError {
  /** False for HTML and plain text, which comes from something in front of VRChat. */
  readonly json: boolean
  readonly message: string
  readonly waf: boolean
  /** A 500 can hide a 409 that will never succeed: its text then starts with that number. */
  readonly status: number
}

// A firewall's refusal lifts when it forgets us, and each further request reminds it.
const FIREWALL_PAUSE_MS = 15 * 60_000
const MINUTE_MS = 60_000

const inner = z.object({
  message: z.string().default(''),
  waf_code: z.unknown(),
  fields: z.unknown(),
})
const errorBody = z.object({ error: z.union([inner, z.string()]) })

/** Reads shapes A, A', B, C and D of the protocol page, section 2.4. */
export const readError = (answer: Pick<HttpAnswer, 'status' | 'text'>): ApiError => {
  const body = parseJson(answer.text)
  const error = errorBody.safeParse(body).data?.error ?? ''
  const { message, waf_code: waf, fields } = typeof error === 'string' ? inner.parse({ message: error }) : error
  const plain = normalise(message)
  return {
    json: body !== undefined,
    message: fields === undefined ? plain : `${plain} (${normalise(JSON.stringify(fields))})`,
    waf: waf !== undefined,
    status: answer.status >= 500 ? Number(/^4\d\d\b/.exec(plain)?.[0] ?? answer.status) : answer.status,
  }
}

/**
 * VRChat quotes its messages twice and swaps ASCII punctuation for look-alikes, against links in chat.
 * vrchatapi/specification:openapi/components/responses/files/FileVersionDeleteMiddleError.yaml@b7fff1a
 */
export const normalise = (message: string): string => {
  const quoted = z.string().safeParse(parseJson(message))
  const text = (quoted.data ?? message).normalize('NFKC')
  return withoutSecrets(text.replace(/[꞉ː∶]/g, ':').replace(/‚/g, ',').replace(/[‘’]/g, "'").replace(/[∕⁄]/g, '/'))
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300)
}

/** Answers may echo what they were asked with: cookies, tokens, signed queries. */
const withoutSecrets = (text: string): string =>
  text
    .replace(/(https?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1?…')
    .replace(/authcookie_[\w-]+/gi, 'authcookie_…')
    .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, 'eyJ…')

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The body of a success as its schema has it; anything else came from something in front of VRChat. */
export const readSuccess = <T>(answer: HttpAnswer, asked: Asked, schema: z.ZodType<T>): T => {
  const body = parseJson(answer.text)
  if (body === undefined) throw nonsense(asked, answer.status, 'not with JSON')
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw nonsense(asked, answer.status, `not as expected: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
}

/** What a failed API answer means. 401 is not for here: whoever called logs in again first. */
export const refusalOf = (answer: HttpAnswer, asked: Asked): Error => {
  const { status, message, json, waf } = readError(answer)
  const said = `${asked.what} → ${String(answer.status)} ${message}`.trimEnd()
  const general = failureOf(answer, asked, message)
  if (answer.header('retry-after') !== undefined && general instanceof AccountParked) return general
  if (status === 429) return new AccountParked(said, minutesIn(message) ?? pauseOf(general))
  if (status === 403 && (waf || !json)) {
    return new AccountParked(`${said} (refused before it reached VRChat: User-Agent, address or VPN?)`, FIREWALL_PAUSE_MS)
  }
  return status < 500 && status >= 400 && status !== 408 && status !== 425 ? new Refusal(status, said) : general
}

const pauseOf = (error: Error): number => (error instanceof AccountParked ? error.delayMs : MINUTE_MS)

// "Please wait 12 more minutes"; a hint in a message that may change, hence only a hint.
const minutesIn = (message: string): number | undefined => {
  const minutes = Number(/(\d{1,3}) (?:more )?minutes?/i.exec(message)?.[1] ?? Number.NaN)
  return Number.isNaN(minutes) ? undefined : Math.max(1, minutes) * MINUTE_MS
}
