import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'

import { redact } from './secrets.ts'

export interface LogOptions {
  readonly level: string
  /** Which process speaks, such as `worker`. */
  readonly role: string
  readonly destination?: DestinationStream
}

/** Writes one JSON line an event, with no secret in it whatever was passed. */
export function createLog({ level, role, destination }: LogOptions): Logger {
  const options = {
    level,
    name: `stevedore-${role}`,
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: secretPaths, censor: '[redacted]' },
    serializers: { err: describeError, error: describeError },
    // Last of all and over the whole line: messages and fields that nobody thought of hold URLs too.
    hooks: { streamWrite: redact },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** A logger whose lines all say which upload they are about and where it stands. */
export function uploadLog(
  log: Logger,
  { id, state }: { readonly id: string; readonly state: string },
): Logger {
  return log.child({ upload: id, state })
}

const secretNames = ['password', 'secret', 'token', 'credentials', 'login', 'jar', 'authorization', 'cookie']
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])

/** What a log says about an error: a chosen few fields, as libraries hang whole requests on theirs. */
export interface ErrorDescription {
  readonly type: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
  readonly class?: string
  readonly cause?: ErrorDescription
}

const maxCauses = 5

export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: redact(String(error)) }
  return {
    type: error.name,
    message: redact(error.message),
    ...(error.stack !== undefined && { stack: redact(error.stack) }),
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    ...('class' in error && typeof error.class === 'string' && { class: error.class }),
    ...(error.cause !== undefined && depth < maxCauses && { cause: describeError(error.cause, depth + 1) }),
  }
}
