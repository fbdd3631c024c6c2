import { z } from 'zod'
import { Unreachable } from '#shared/errors.ts'
import { nonsense } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { ReadTickets, Receipt } from '../../provider.ts'
import type { Work } from '../deps.ts'
import { ticket } from '../session.ts'
import { answerOrLost, askStore, assertNoPage, isExpired, refusalOf, type Answered } from './store-answers.ts'
import { jsonIn } from './store-codes.ts'
import { putPart } from './store-part.ts'
import { ticketOf } from './store-tickets.ts'
import type { Chunk, Completing, Transport } from './transport.ts'
import { sessionLost, siteNotTold, unlessComplete } from './uncertain.ts'

/**
 * Parts with an upload token; Qiniu tells the site before it answers the completion.
 * cloudreve/frontend:src/component/Uploader/core/uploader/qiniu.ts@19da0fe
 */
export const qiniu: Transport = {
  sendChunk: (work, chunk) => sendPart(work, chunk),
  complete: (work, completing) => completeQiniu(work, completing),
  abandon: (work, tickets) => abandonUpload(work, tickets),
}

// Statuses of its own: developer.qiniu.com/kodo/3928/error-responses.
const SITE_NOT_TOLD = 579
const NO_SUCH_UPLOAD = 612
const EXISTS_ALREADY = 614

const sendPart = async (work: Work, chunk: Chunk): Promise<Receipt> => {
  const { url, headers } = await placeOf(chunk.tickets)
  return putPart(work, chunk, {
    url: `${url}/${String(chunk.part.number)}`,
    headers,
    read: readStored,
    isGone: ({ status }) => status === NO_SUCH_UPLOAD || status === 404,
    hint: 'something between here and Qiniu changes them',
  })
}

const placeOf = async (
  tickets: ReadTickets,
): Promise<{ url: string; headers: { readonly authorization: string } }> => {
  const [url, token] = await Promise.all([
    ticketOf(tickets, ticket.url(1)),
    ticketOf(tickets, ticket.credential),
  ])
  return { url, headers: { authorization: `UpToken ${token}` } }
}

const stored = z.object({ etag: z.string().min(1), md5: z.string().min(1).toLowerCase() })

/** Not an MD5, this ETag, but Qiniu says both. */
const readStored = ({ answer, ...asked }: Answered): z.infer<typeof stored> => {
  const result = stored.safeParse(jsonIn(answer.text))
  if (result.success) return result.data
  throw nonsense(asked, answer.status, 'without etag and md5 in JSON')
}

const completeQiniu = async (work: Work, completing: Completing): Promise<void> => {
  const doubt = await putTogether(work, completing)
  if (doubt !== undefined) await unlessComplete(work, completing.state, doubt)
}

/** As for the others: the doubt, unless Qiniu says that it is done. */
const putTogether = async (work: Work, completing: Completing): Promise<Error | undefined> => {
  const { state, receipts, tickets } = completing
  if (receipts.some(({ etag }) => etag === undefined)) return sessionLost('A part has no ETag')
  const parts = receipts.map(({ etag }, index) => ({ etag, partNumber: index + 1 }))
  const { url, headers } = await placeOf(tickets)
  const request = {
    method: 'POST',
    url,
    what: 'POST complete qiniu upload',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ ...(state.mimeType !== '' && { mimeType: state.mimeType }), parts }),
    totalMs: work.timing.completeMs,
  } as const
  const answered = await askStore(work, request)
  return answered instanceof Unreachable ? answered : doubtOf(work, completing, answered)
}

const doubtOf = (work: Work, { state }: Completing, answered: Answered): Error | undefined => {
  const { answer, what } = answered
  if (answer.status === 200) {
    assertNoPage(answered)
    return undefined
  }
  if (answer.status === SITE_NOT_TOLD) return siteNotTold(what, answer)
  const { message } = refusalOf(answered)
  if (isGone(answer)) return sessionLost(`${message}: Qiniu knows the upload no more`)
  if (isExpired(work, state, answer)) return sessionLost(`${message}: the upload session has expired`)
  throw refusalOf(answered)
}

const isGone = ({ status }: HttpAnswer): boolean =>
  status === NO_SUCH_UPLOAD || status === EXISTS_ALREADY || status === 404

/**
 * The site has forgotten the token by the time that it cancels, so it is for us: developer.qiniu.com/kodo/6367.
 * One that can not be reached drops the upload by itself after a week.
 */
const abandonUpload = async (work: Work, tickets: ReadTickets): Promise<void> => {
  const [url, token] = await tickets([ticket.url(1), ticket.credential])
  // An upload that ended before keeps none.
  if (url === undefined || token === undefined) return
  const headers = { authorization: `UpToken ${token}` }
  const request = {
    method: 'DELETE',
    url,
    what: 'DELETE qiniu upload',
    headers,
    totalMs: work.timing.apiMs,
  } as const
  await answerOrLost(work, request)
}
