import type { FakeCloudreve, LedgerEntry, Operation } from '../fakes/cloudreve/server.ts'

interface Echo {
  readonly status: number
  readonly times?: number
  readonly where?: { readonly uri?: string; readonly user?: string }
  /** The body, which repeats what it was asked with. */
  readonly shape: (entry: LedgerEntry) => unknown
}

/** Answers so many requests with an error that repeats all of the request, as debugging pages do. */
export function echo(
  fake: FakeCloudreve,
  operation: Operation,
  { status, times = 1, where = {}, shape }: Echo,
): void {
  const handle = fake.faults.add({ operation, where, times, action: { kind: 'status', status, body: '' } })
  const next = fake.hooks.onRequest
  fake.hooks.onRequest = async (event) => {
    const entry = fake.ledger[event.sequence - 1]
    const { action } = handle.rule
    if (entry?.operation === operation && event.phase === 'arrival' && action.kind === 'status') {
      action.body = shape(entry)
    }
    await next?.(event)
  }
}

const requestOf = ({ method, rawUrl, headers }: LedgerEntry): string =>
  `${method} ${rawUrl} as ${JSON.stringify(headers)} and bare ${headers.authorization} `

/** Cloudreve's own envelope, with a message that says too much. */
export const envelopeEcho =
  (code: number) =>
  (entry: LedgerEntry): unknown => ({
    code,
    msg: requestOf(entry),
    error: requestOf(entry),
    correlation_id: requestOf(entry),
  })

export const textEcho = (entry: LedgerEntry): unknown => `<h1>Trouble</h1> ${requestOf(entry)}`

/** As S3 explains a signature that it does not like. */
export const s3Echo = ({ rawUrl, method }: LedgerEntry): unknown =>
  `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>${rawUrl}</Message>` +
  `<CanonicalRequest>${method}\n${rawUrl}\nhost:127.0.0.1</CanonicalRequest></Error>`

/** As the stores that answer in JSON would. */
export const jsonEcho = (entry: LedgerEntry): unknown => ({
  error: { code: 'generalException', message: requestOf(entry) },
  message: requestOf(entry),
})
