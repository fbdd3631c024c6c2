import { randomUUID } from 'node:crypto'
import { type Reply, json } from '../http/replies.ts'

interface Details {
  data?: unknown
  /** 200 for nearly everything. */
  status?: number
  /** Binding errors come without a correlation id. */
  binding?: boolean
  /** By URI, for batches. */
  aggregated?: Record<string, { code: number; msg: string }>
}

/** Thrown by handlers: an error of the API, in its envelope. */
export class ApiError extends Error {
  readonly code: number
  readonly details: Details

  constructor(code: number, message = '', details: Details = {}) {
    super(message)
    this.name = 'ApiError'
    this.code = code
    this.details = details
  }
}

/** What cannot be read as the call's parameters. */
export function badParameter(message: string): ApiError {
  return new ApiError(40_001, message, { binding: true })
}

/** `data` is left out when there is none. */
export function success(data?: unknown): Reply {
  return json({ code: 0, data, msg: '' })
}

export function envelopeOf({ code, message, details }: ApiError, correlationId: string | undefined): Reply {
  const { data, status = 200, binding = false, aggregated } = details
  const body = {
    code,
    data,
    msg: message,
    ...(binding ? {} : { correlation_id: correlationId ?? randomUUID() }),
    aggregated_error: aggregated,
  }
  return json(body, status)
}
