import { z } from 'zod'
import { FatalError, Unreachable } from '#shared/errors.ts'
import { failureOf, isTransient, nonsense, originOf } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import { blank, withoutTokens } from '../../blank.ts'
import { codes, SiteTrouble, type Said } from './codes.ts'

export interface Asked {
  readonly url: string
  readonly what: string
  /** What no message may repeat, even if the answer does. */
  readonly secrets?: readonly string[]
}

/** What the site answered: be:pkg/serializer/response.go@0bb0ab83 */
export interface Envelope {
  readonly code: number
  readonly data: unknown
  readonly said: Said
}

const LONGEST_MESSAGE = 300

const inner = z.object({
  code: z.int(),
  data: z.unknown().optional(),
  msg: z.string().nullish(),
  // Only what looks like one: it is repeated as it is.
  correlation_id: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional()
    .catch(undefined),
})
const envelope = inner.extend({ aggregated_error: z.record(z.string(), inner).nullish() })
const oauthError = z.object({ error: z.string(), error_description: z.string().default('') })

/**
 * Reads an answer of the site. Its code decides, whatever the status; everything that is no envelope came from
 * something in front of the site and is thrown: `Unreachable`, `AccountParked`, `SiteTrouble` or `FatalError`.
 */
export const readEnvelope = (answer: HttpAnswer, asked: Asked): Envelope => {
  assertNoPause(answer, asked)
  const body = parseJson(answer.text)
  const found = envelope.safeParse(body).data
  if (found === undefined || answer.status >= 500) throw notTheSite(answer, asked, body)
  const { code, data, msg, correlation_id: correlationId } = innermost(found)
  // A proxy's JSON may hold a zero too.
  if (code === 0 && answer.status >= 300) throw notTheSite(answer, asked, undefined)
  return {
    code,
    data,
    said: { code, what: asked.what, message: plain(msg ?? '', asked), correlationId, data },
  }
}

/** Every batch of ours is of one place, so its failure is that place's. */
const innermost = (found: z.infer<typeof envelope>): z.infer<typeof inner> => {
  const only = Object.values(found.aggregated_error ?? {})[0]
  if (found.code !== codes.batchFailed || only === undefined) return found
  return { ...only, correlation_id: only.correlation_id ?? found.correlation_id }
}

const assertNoPause = (answer: HttpAnswer, asked: Asked): void => {
  const asksForPause = answer.status >= 400 && answer.header('retry-after') !== undefined
  if (asksForPause || answer.status === 429) throw failureOf(answer, asked)
}

/** What a status without an envelope means: the site itself answers nearly everything with 200. */
const notTheSite = (answer: HttpAnswer, asked: Asked, body: unknown): Error => {
  const { status } = answer
  if (status < 300) return nonsense(asked, status, 'without the envelope that every answer of Cloudreve has')
  if (status < 400) return redirected(answer, asked)
  const arrow = `${asked.what} → ${String(status)}`
  const { error, error_description: why = '' } = oauthError.safeParse(body).data ?? {}
  if (error !== undefined && !isTransient(status)) {
    return new FatalError('refused', `${arrow} ${plain(`${error} ${why}`, asked)}`)
  }
  const hint = HINTS.get(status)
  if (hint !== undefined) return new FatalError('refused', `${arrow}: ${hint}`)
  // A firewall that takes one request for an attack may let the next one pass.
  if (status === 403)
    return new SiteTrouble(
      `${arrow} from something in front of the site, such as a firewall; or baseUrl is no Cloudreve`,
    )
  return failureOf(answer, asked)
}

const HINTS: ReadonlyMap<number, string> = new Map([
  [
    401,
    'something in front of the site asks for a login of its own, which Stevedore can not give; or baseUrl is no Cloudreve',
  ],
  [404, "there is no Cloudreve V4 at the account's baseUrl"],
  [405, "there is no Cloudreve V4 at the account's baseUrl"],
  [
    413,
    'a proxy in front of the site takes no body of this size: lower the chunk size of the storage policy, or raise ' +
      "the proxy's limit (nginx: client_max_body_size)",
  ],
])

/** Never followed: what we send has the account's token in it. */
const redirected = (answer: HttpAnswer, { url, what }: Asked): Error => {
  const to = URL.parse(answer.header('location') ?? '', url)?.origin ?? 'nowhere'
  const message = `${what} → ${String(answer.status)} to ${to}: redirects are not followed; set baseUrl to where the site is`
  const isForGood = answer.status === 301 || answer.status === 308
  return isForGood ? new FatalError('refused', message) : new Unreachable(originOf(url), message)
}

/** Data of a success as its schema has it. Throws `Unreachable` for anything else. */
export const readData = <T>(data: unknown, asked: Asked, schema: z.ZodType<T>): T => {
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw nonsense(asked, 200, `not as expected: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
}

const plain = (message: string, { secrets = [] }: Asked): string => {
  // Of every success: nothing to look for secrets in.
  if (message === '') return ''
  const text = withoutTokens(blank(message.toWellFormed(), secrets)).replace(/\s+/g, ' ').trim()
  // By characters: half a surrogate pair is no text.
  return Array.from(text).slice(0, LONGEST_MESSAGE).join('')
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
