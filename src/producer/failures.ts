import { z } from 'zod'
import {
  AccountParked,
  FatalError,
  Missing,
  NeedsPerson,
  ProviderTrouble,
  TryLater,
  Unreachable,
} from '#shared/errors.ts'
import { type Refusal, refusalOf } from '#shared/redis/refusal.ts'
import { redact } from '#shared/secrets.ts'
import { OutsideRoots } from '#shared/sources/refusal.ts'
import { Problem, retryAfter } from './problem.ts'
import { isRedisTrouble } from './redis-trouble.ts'

/** Redis comes back within seconds, or somebody has to look. */
const REDIS_AGAIN_MS = 2000

/** What a failure means to the caller; anything unforeseen is a 500 that says nothing about us. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  return ofProvider(error) ?? ofHttp(error) ?? redisAway(error) ?? internal(error)
}

/** A request that can not be served for now, with what Redis said about it. */
export function redisIsAway(cause?: unknown): Problem {
  const refusal = refusalOf(cause)
  const why = refusal === undefined ? 'Redis is not reachable' : noWrites(refusal)
  return new Problem(503, `${why}. Nothing was lost: try again`, {
    headers: retryAfter(REDIS_AGAIN_MS),
    cause,
  })
}

export const noWrites = ({ reason, code }: Refusal): string => `Redis takes no writes: ${reason} (${code})`

function ofProvider(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const message = redact(error.message)
  if (error instanceof FatalError) return new Problem(statusOf(error), message, { cause: error })
  if (error instanceof NeedsPerson) return new Problem(409, message, { state: error.state, cause: error })
  if (error instanceof AccountParked) {
    return new Problem(429, message, { headers: retryAfter(error.delayMs), cause: error })
  }
  if (error instanceof TryLater) {
    return new Problem(503, message, { headers: retryAfter(error.delayMs), cause: error })
  }
  if (error instanceof Unreachable) {
    return new Problem(502, `${error.host}: ${message}; is the address right, and the other side up?`, {
      cause: error,
    })
  }
  if (error instanceof ProviderTrouble) return new Problem(502, message, { cause: error })
  if (error.name === 'TimeoutError') return new Problem(504, 'The provider did not answer in time')
  return undefined
}

function statusOf(error: FatalError): number {
  if (error instanceof OutsideRoots) return 403
  return error instanceof Missing ? 404 : 422
}

const httpError = z.object({ statusCode: z.int().min(400).max(499), code: z.string().optional() })

const HTTP_DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is larger than 1 MiB',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'The body must be JSON, with the header Content-Type: application/json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as its Content-Length says',
}

/** What Fastify itself refuses: bodies that are too large, no JSON, or cut. */
function ofHttp(error: unknown): Problem | undefined {
  const known = httpError.safeParse(error)
  if (!known.success) return undefined
  const { statusCode, code = '' } = known.data
  // Not its message: that of a JSON error holds a piece of the body, and so maybe of a password.
  return new Problem(statusCode, HTTP_DETAILS[code] ?? 'The request can not be read')
}

function redisAway(error: unknown): Problem | undefined {
  return isRedisTrouble(error) ? redisIsAway(error) : undefined
}

function internal(cause: unknown): Problem {
  return new Problem(500, 'Something went wrong here; the log says what', { cause })
}
