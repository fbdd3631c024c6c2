import { refusalOf } from '#shared/redis/refusal.ts'

/** What Redis answers whoever may not talk to it. */
const UNKNOWN_TO_IT = /^(NOAUTH|WRONGPASS)\b/

/** What ioredis says when there is no connection, or no answer in time. */
const CONNECTION =
  /stream isn't writeable|connection is (closed|in closing state)|command timed out|socket timeout/i

const CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** Whether an error means that Redis is away, or takes no writes: everybody has to come back later. */
export function isRedisTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'MaxRetriesPerRequestError' || error.name === 'ClusterAllFailedError') return true
  if (CONNECTION.test(error.message)) return true
  // Sources and providers wrap theirs, so a bare network error is Redis's.
  if ('code' in error && typeof error.code === 'string' && CODES.has(error.code)) return true
  return refusalOf(error) !== undefined || (error.name === 'ReplyError' && UNKNOWN_TO_IT.test(error.message))
}
