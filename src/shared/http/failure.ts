import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { errors } from 'undici'
import { AccountParked, FatalError, HostTrouble, StartOver, TryLater, Unreachable } from '../errors.ts'
import { retryAfterMs } from './retry-after.ts'
import type { Watch } from './watch.ts'

interface Asked {
  readonly url: string
  readonly what: string
}

interface Answered {
  readonly status: number
  readonly header: (name: string) => string | undefined
}

// How long a 429 that names no time stops an account. VRChat's lockouts last longer, but its first "slow
// down" does not, and whoever parks may grow the pauses.
const OWN_PAUSE_MS = 60_000

// Descriptors come back as parts end, within seconds.
const DESCRIPTORS_AGAIN_MS = 2_000

// Failed before a connection stood: the other side cannot have seen the request.
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Scheme, host and port: all of an address that may be shown, as the rest may be signed. */
export const originOf = (url: string): string => URL.parse(url)?.origin ?? 'an address that is no URL'

/** What went wrong when no whole answer came. */
export const describeFailure = (error: unknown, { url, what }: Asked, watch: Watch): unknown => {
  if (watch.caller.aborted) return watch.caller.reason
  const gaveUp = watch.gaveUp()
  if (gaveUp !== undefined) return new Unreachable(originOf(url), `${what} → ${gaveUp}`)
  // undici breaks a source with this error, so it goes before the source's own.
  if (error instanceof errors.RequestContentLengthMismatchError) {
    return new StartOver('source-changed', `${what}: the source gave more or fewer bytes than it has`)
  }
  const source = watch.sourceError()
  if (source !== undefined) return source
  // Ours, such as a header that is none: a bug, and no trouble of the other side.
  if (error instanceof TypeError || error instanceof errors.InvalidArgumentError) return error
  return (
    noDescriptor(error, what) ?? new Unreachable(originOf(url), `${what} → ${brief(error)}`, { cause: error })
  )
}

/** Nothing was sent, and the other side has no part in it: its circuit stays as it is. */
const noDescriptor = (error: unknown, what: string): HostTrouble | undefined => {
  if (!isOutOfDescriptors(error)) return undefined
  const message = `${what} → no connection, as too many files are open; raise \`ulimit -n\``
  return new HostTrouble(message, DESCRIPTORS_AGAIN_MS, { cause: error })
}

/** The lookup of a name fails without descriptors as well, and says anything but that. */
const isOutOfDescriptors = (error: unknown): boolean => {
  const isLookup = error instanceof Error && 'syscall' in error && error.syscall === 'getaddrinfo'
  const code = codeOf(isLookup ? triedToOpen() : error)
  return code === 'EMFILE' || code === 'ENFILE'
}

const triedToOpen = (): unknown => {
  try {
    closeSync(openSync(devNull, 'r'))
    return undefined
  } catch (error) {
    return error
  }
}

const brief = (error: unknown): string => {
  if (!(error instanceof Error)) return 'no answer'
  return codeOf(error) ?? error.message
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Whether this failure proves that the request did not reach the other side. */
export const neverSent = (error: unknown): boolean =>
  error instanceof Unreachable && NEVER_SENT.has(codeOf(error.cause) ?? '')

/** The exchange without a certain outcome behind a failure, or behind the wait that it was turned into. */
export const lostExchange = (error: unknown): Unreachable | undefined => {
  if (error instanceof Unreachable) return error
  const waits = error instanceof TryLater || error instanceof AccountParked
  return waits && error.cause instanceof Unreachable ? error.cause : undefined
}

/**
 * What an answer other than success means, if its provider knows nothing better. `detail` is what the
 * answer said, free of secrets.
 */
export const failureOf = (answer: Answered, { url, what }: Asked, detail = ''): Error => {
  const message = `${what} → ${String(answer.status)}${detail === '' ? '' : ` ${detail}`}`
  const wait = retryAfterMs(answer.header('retry-after'), serverNow(answer))
  if (answer.status === 429) return new AccountParked(message, wait ?? ownPauseMs())
  const trouble = isTransient(answer.status) ? new Unreachable(originOf(url), message) : undefined
  // A gateway's 504 may ask for a pause as well, and yet the request behind it went through.
  if (wait !== undefined) return new AccountParked(message, wait, { cause: trouble })
  if (trouble !== undefined) return trouble
  return new FatalError(answer.status === 400 || answer.status === 422 ? 'bad-request' : 'refused', message)
}

/** A success that is none of what was asked for, such as a proxy's HTML page with status 200. */
export const nonsense = ({ url, what }: Asked, status: number, why: string): Error =>
  new Unreachable(originOf(url), `${what} → ${String(status)}, but ${why}`)

export const isTransient = (status: number): boolean =>
  status >= 500 || status === 408 || status === 425 || status === 429

const ownPauseMs = (): number => OWN_PAUSE_MS * (1 + Math.random() / 2)

// The answer's own Date, so that a wrong clock on either side does not change the wait.
const serverNow = (answer: Answered): number => {
  const date = Date.parse(answer.header('date') ?? '')
  return Number.isNaN(date) ? Date.now() : date
}
