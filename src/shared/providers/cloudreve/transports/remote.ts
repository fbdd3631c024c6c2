import { errorOf } from '../site/codes.ts'
import type { Work } from '../deps.ts'
import { readEnvelope } from '../site/envelope.ts'
import { ticket } from '../session.ts'
import { sendToSite } from './site-chunks.ts'
import { assertNoPage, OCTETS, refusalOf, type Answered } from './store-answers.ts'
import { jsonIn } from './store-codes.ts'
import { ticketOf } from './store-tickets.ts'
import type { Chunk, Transport } from './transport.ts'

/**
 * A node of the site keeps the bytes, and tells the site of the last chunk before it answers.
 * cloudreve/frontend:src/component/Uploader/core/uploader/remote.ts@19da0fe
 */
export const remote: Transport = {
  sendChunk: (work, chunk) => sendToSite(work, chunk, () => sendToNode(work, chunk)),
}

/** The node's signature covers every `X-Cr-…` header, so there is none; its own goes as it was given. */
const sendToNode = async (
  { storage, timing, signal }: Work,
  { part, body, tickets }: Chunk,
): Promise<void> => {
  const [url, authorization] = await Promise.all([
    ticketOf(tickets, ticket.url(1)),
    ticketOf(tickets, ticket.credential),
  ])
  const index = String(part.number - 1)
  const request = {
    method: 'POST',
    url: `${url}${url.includes('?') ? '&' : '?'}chunk=${index}`,
    what: `POST chunk ${index} to the node`,
    headers: { ...OCTETS, authorization },
    body,
    totalMs: timing.chunkMs,
  } as const
  const answer = await storage.send(request, signal)
  assertFromNode({ answer, ...request })
  const { code, said } = readEnvelope(answer, { ...request, secrets: [authorization, url] })
  if (code !== 0) throw errorOf(said)
}

/** Something in front of the node speaks in statuses and pages, the node itself in JSON. */
const assertFromNode = (answered: Answered): void => {
  if (answered.answer.status < 300) return assertNoPage(answered)
  if (jsonIn(answered.answer.text) === undefined) throw refusalOf(answered)
}
