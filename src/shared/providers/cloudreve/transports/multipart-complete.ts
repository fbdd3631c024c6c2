import { AccountParked, Blamed, FatalError, Unreachable } from '#shared/errors.ts'
import { nonsense } from '#shared/http/failure.ts'
import type { Work } from '../deps.ts'
import { ticket, type SessionState } from '../session.ts'
import { readXml } from './s3-xml.ts'
import { askStore, assertNoPage, isExpired, OCTETS, refusalOf, type Answered } from './store-answers.ts'
import { codeIn } from './store-codes.ts'
import { ticketOf } from './store-tickets.ts'
import type { Completing } from './transport.ts'
import { sessionLost, siteNotTold } from './uncertain.ts'

export interface Completion {
  /** Beside the content type; signed, so exactly these. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** A success has the store's own XML. Others answer with whatever the site said to them. */
  readonly ownXml?: true
  /** When the store could not tell the site, we can. */
  readonly tellable?: true
}

/**
 * Has the store put the parts together. Answers nothing when it says that it did. Answers the doubt when an earlier
 * or unanswered request may have done it: to be thrown if the site does not show the file whole. Throws what is
 * certainly not done.
 */
export const putTogether = async (
  work: Work,
  { state, tickets }: Completing,
  { headers, body, ...completion }: Completion,
): Promise<Error | undefined> => {
  const url = await ticketOf(tickets, ticket.complete)
  const what = `POST complete ${state.transport} upload`
  const request = {
    method: 'POST',
    url,
    what,
    headers: { ...OCTETS, ...headers },
    ...(body !== undefined && { body }),
    totalMs: work.timing.completeMs,
  } as const
  const answered = await askStore(work, request)
  if (answered instanceof Unreachable) return answered
  return doubtOf(work, state, { ...answered, ...completion })
}

type Judged = Answered & Omit<Completion, 'headers' | 'body'>

const doubtOf = (work: Work, state: SessionState, judged: Judged): Error | undefined => {
  const { answer, what, tellable } = judged
  if (answer.status === 200) return doubtOf200(judged)
  // OSS and OBS: the object is there, and their call of the site failed.
  if (answer.status === 203) return tellable ? undefined : siteNotTold(what, answer)
  if (isExpired(work, state, answer)) {
    return sessionLost(`${refusalOf(judged).message}: the upload session has expired`)
  }
  return doubtOfCode(judged)
}

/** S3 answers 200 before it knows how it ends. */
const doubtOf200 = ({ ownXml, ...answered }: Judged): Error | undefined => {
  const { answer, ...asked } = answered
  const { root } = readXml(answer.text)
  if (root === 'Error') return doubtOfCode(answered)
  assertNoPage(answered)
  if (ownXml && root !== 'CompleteMultipartUploadResult') {
    throw nonsense(asked, answer.status, 'without the result of a completed upload')
  }
  return undefined
}

/** The upload is not there to be completed, which is also what its own completion leaves. */
const GONE: ReadonlySet<string> = new Set(['NoSuchUpload', 'FileAlreadyExists', 'ObjectAlreadyExists'])

const doubtOfCode = (answered: Answered): Error | undefined => {
  const code = codeIn(answered.answer)
  const { message } = refusalOf(answered)
  if (GONE.has(code)) return sessionLost(`${message}: the store knows the upload no more`)
  throw failureOfCode(answered, code)
}

const failureOfCode = (answered: Answered, code: string): Error => {
  const failure = refusalOf(answered)
  const { message } = failure
  if (failure instanceof Unreachable || failure instanceof AccountParked) return failure
  if (code === 'InvalidPart' || code === 'InvalidPartOrder') {
    return sessionLost(`${message}: the store has not all the parts that it took`)
  }
  if (code === 'EntityTooSmall') {
    return new FatalError(
      'refused',
      `${message}: raise the chunk size of the storage policy to 5 MiB or more`,
    )
  }
  if (answered.answer.status === 403) return failure
  return failure instanceof Blamed ? new FatalError('refused', message) : failure
}
