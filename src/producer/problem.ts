import { STATUS_CODES } from 'node:http'
import { z } from 'zod'

const fieldError = z.object({
  path: z.string().meta({ description: 'Where in the request, such as `destination.name`' }),
  message: z.string(),
})

/** What every refusal looks like: RFC 9457, with the fields that are to blame. */
export const problemBody = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z.array(fieldError),
    upload: z.string().optional().meta({ description: 'The upload that is in the way' }),
    state: z.string().optional().meta({ description: 'State of the account that waits for a person' }),
  })
  .meta({ id: 'Problem', description: 'Why the request was not done' })

export type ProblemBody = z.infer<typeof problemBody>
export type FieldError = z.infer<typeof fieldError>

export const PROBLEM_TYPE = 'application/problem+json'

interface ProblemOptions {
  readonly errors?: readonly FieldError[]
  readonly headers?: Readonly<Record<string, string>>
  /** The upload that is in the way. */
  readonly upload?: string
  /** State of the account that waits for a person. */
  readonly state?: string
  readonly cause?: unknown
}

/** A refusal with its HTTP status. The detail is for people and holds no secret. */
export class Problem extends Error {
  override name = 'Problem'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ProblemBody

  constructor(status: number, detail: string, options: ProblemOptions = {}) {
    const { errors = [], headers = {}, upload, state, cause } = options
    super(detail, { cause })
    this.status = status
    this.headers = headers
    this.body = {
      type: 'about:blank',
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail,
      errors: [...errors],
      ...(upload !== undefined && { upload }),
      ...(state !== undefined && { state }),
    }
  }
}

/** A request whose field at `path` can not be used. */
export const unusable = (path: string, message: string, cause?: unknown): Problem =>
  new Problem(422, path === '' ? message : `${path}: ${message}`, { errors: [{ path, message }], cause })

export const notFound = (what: string): Problem => new Problem(404, `There is no ${what}`)

/** `Retry-After` in whole seconds, at least one. */
export const retryAfter = (ms: number): Record<string, string> => ({
  'retry-after': String(Math.max(1, Math.ceil(ms / 1000))),
})
