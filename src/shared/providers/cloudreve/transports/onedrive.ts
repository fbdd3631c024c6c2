import { Unreachable } from '#shared/errors.ts'
import type { Receipt } from '../../provider.ts'
import type { Work } from '../deps.ts'
import { ticket } from '../session.ts'
import { expectedByte, refusalOfOneDrive } from './onedrive-answers.ts'
import { tailOf } from './slices.ts'
import { answerOrLost, assertNoPage, isExpired, OCTETS, type Answered } from './store-answers.ts'
import { ticketOf } from './store-tickets.ts'
import { tellSite } from './tell-site.ts'
import type { Chunk, Transport } from './transport.ts'
import { sessionLost, unlessComplete } from './uncertain.ts'

/**
 * Ranges of the file, one after the other, to an upload session of Microsoft Graph, whose URL is all that it wants to
 * see. learn.microsoft.com/graph/api/driveitem-createuploadsession; how Cloudreve's own client resumes is not copied.
 */
export const onedrive: Transport = {
  inOrder: true,
  sendChunk: (work, chunk) => sendRange(work, chunk),
  complete: (work, completing) => tellSite(work, completing, { kind: 'onedrive', method: 'POST' }),
}

const TAKEN: Receipt = {}

const sendRange = async (work: Work, chunk: Chunk): Promise<Receipt> => {
  const { part } = chunk
  const first = await putFrom(work, chunk, part.offset)
  if (!(first instanceof Unreachable)) {
    if (first.answer.status < 300) assertNoPage(first)
    if (isTaken(chunk, first)) return TAKEN
  }
  // Sent before, by us or by a run that was killed: OneDrive says where it stands.
  const next = await whereItStands(work, chunk, first)
  if (next === 'settled' || next >= endOf(chunk)) return TAKEN
  if (next < part.offset) {
    throw sessionLost(`OneDrive wants byte ${String(next)} again, which it had taken before`)
  }
  if (first instanceof Unreachable) throw first
  const rest = await putFrom(work, chunk, next)
  if (rest instanceof Unreachable) throw rest
  if (isTaken(chunk, rest)) return TAKEN
  throw refusalOfOneDrive(rest)
}

const endOf = ({ part }: Chunk): number => part.offset + part.length
const isLast = (chunk: Chunk): boolean => endOf(chunk) === chunk.blob.size

const isTaken = (chunk: Chunk, { answer: { status } }: Answered): boolean =>
  isLast(chunk) ? status === 200 || status === 201 : status === 202

/** Sends the chunk from this byte of the file on. */
const putFrom = async (work: Work, chunk: Chunk, from: number): Promise<Answered | Unreachable> => {
  const { blob, part, body } = chunk
  const range = `bytes ${String(from)}-${String(endOf(chunk) - 1)}/${String(blob.size)}`
  const what = `PUT onedrive ${range}`
  const url = await ticketOf(chunk.tickets, ticket.url(1))
  const slice = from === part.offset ? body : tailOf(body, from - part.offset)
  const headers = { ...OCTETS, 'content-range': range }
  const request = { method: 'PUT', url, what, headers, body: slice, totalMs: work.timing.chunkMs } as const
  // Whoever answers before it has read all may cut us off before we have read that answer: so that is asked for.
  return answerOrLost(work, request)
}

/** The next byte that OneDrive wants; `settled` when it wants none, as the site shows. Throws what ends the attempt. */
const whereItStands = async (
  work: Work,
  chunk: Chunk,
  sent: Answered | Unreachable,
): Promise<number | 'settled'> => {
  if (!(sent instanceof Unreachable) && !isAboutTheRange(sent)) return refused(work, chunk, sent)
  const url = await ticketOf(chunk.tickets, ticket.url(1))
  const request = { method: 'GET', url, what: 'GET onedrive upload', totalMs: work.timing.apiMs } as const
  const answered = { answer: await work.storage.send(request, work.signal), ...request }
  if (answered.answer.status !== 200) return refused(work, chunk, answered)
  return expectedByte(answered, chunk.blob.size)
}

/** It overlaps, leaves a gap, or ended the upload when it should not, or did not when it should. */
const isAboutTheRange = ({ answer: { status } }: Answered): boolean => status === 416 || status < 300

const refused = async (work: Work, chunk: Chunk, answered: Answered): Promise<'settled'> => {
  const { answer } = answered
  const refusal = refusalOfOneDrive(answered)
  const lost = sessionLost(`${refusal.message}: the upload session is gone`)
  // OneDrive forgets an upload once it has the whole file, and only the site can look for that.
  if (answer.status === 404) await tellSite(work, chunk, { kind: 'onedrive', method: 'POST', doubt: lost })
  else if (isExpired(work, chunk.state, answer)) await unlessComplete(work, chunk.state, lost)
  else throw refusal
  return 'settled'
}
