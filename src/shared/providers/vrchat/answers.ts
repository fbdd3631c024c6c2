import { z } from 'zod'
import { failureOf, isTransient, nonsense } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import { AccountParked, FatalError } from '#shared/errors.ts'
import { withoutTokens } from '../blank.ts'

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
const LONGEST_MESSAGE = 300

const inner = z.object({
  message: z.string().default(''),
  waf_code: z.unknown().optional(),
  fields: z.unknown().optional(),
})
const errorBody = z.object({ error: z.union([inner, z.string()]) })

/** Reads shapes A, A', B, C and D of docs/vrchat.md, Errors. */
export const readError = (answer: Pick<HttpAnswer, 'status' | 'text'>): ApiError => {
  const body = parseJson(answer.text)
  const error = errorBody.safeParse(body).data?.error ?? ''
  const {
    message,
    waf_code: waf,
    fields,
  } = typeof error === 'string' ? inner.parse({ message: error }) : error
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
const normalise = (message: string): string => {
  const quoted = z.string().safeParse(parseJson(message))
  const text = withoutSecrets(plainText((quoted.data ?? message).toWellFormed()))
  // By characters: half a surrogate pair is no text.
  return Array.from(text).slice(0, LONGEST_MESSAGE).join('')
}

/** Text with ASCII punctuation in place of its look-alikes, for comparing what came back with what was sent. */
export const plainText = (text: string): string =>
  text
    .normalize('NFKC')
    .replace(/[\uA789\u02D0\u2236]/g, ':')
    .replace(/\u201A/g, ',')
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u2215\u2044\u29F8]/g, '/')
    .replace(/\s+/g, ' ')
    .trim()

/** Answers may echo what they were asked with: cookies, tokens, signed queries. */
const withoutSecrets = (text: string): string =>
  withoutTokens(text).replace(/authcookie_[\w-]+/gi, 'authcookie_…')

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
  throw nonsense(
    asked,
    answer.status,
    `not as expected: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  )
}

/** What a failed API answer means. 401 is not for here: whoever called logs in again first. */
export const refusalOf = (answer: HttpAnswer, asked: Asked): Error => {
  const error = readError(answer)
  const said = `${asked.what} → ${String(answer.status)} ${error.message}`.trimEnd()
  const general = failureOf(answer, asked, error.message)
  if (answer.header('retry-after') !== undefined && general instanceof AccountParked) return general
  if (error.status === 429) return new AccountParked(said, minutesIn(error.message) ?? pauseOf(general))
  if (error.status === 403 && isFirewall(error)) {
    return new AccountParked(`${said} (refused by User-Agent, address or VPN?)`, FIREWALL_PAUSE_MS)
  }
  return isRefused(error.status) ? new Refusal(error.status, said) : general
}

const isFirewall = ({ waf, json }: ApiError): boolean => waf || !json

const isRefused = (status: number): boolean => status < 500 && !isTransient(status)

const pauseOf = (error: Error): number => (error instanceof AccountParked ? error.delayMs : MINUTE_MS)

// "Please wait 12 more minutes"; a hint in a message that may change, hence only a hint.
const minutesIn = (message: string): number | undefined => {
  const minutes = Number(/(\d{1,3}) (?:more )?minutes?/i.exec(message)?.[1] ?? Number.NaN)
  return Number.isNaN(minutes) ? undefined : Math.max(1, minutes) * MINUTE_MS
}
