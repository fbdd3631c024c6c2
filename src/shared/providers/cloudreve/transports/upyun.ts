import { randomUUID } from 'node:crypto'
import { Blamed, FatalError } from '#shared/errors.ts'
import type { Receipt, Slice } from '../../provider.ts'
import type { Work } from '../deps.ts'
import { ticket, type SessionState } from '../session.ts'
import { framed } from './slices.ts'
import { assertNoPage, isExpired, refusalOf, type Answered } from './store-answers.ts'
import { ticketOf } from './store-tickets.ts'
import type { Chunk, Transport } from './transport.ts'
import { sessionLost, unlessComplete } from './uncertain.ts'

/**
 * The whole file in one form. Upyun tells the site of it later, and again if the site did not answer, at pauses of
 * its own; and only when it was told does the site show the file.
 * cloudreve/frontend:src/component/Uploader/core/uploader/upyun.ts@19da0fe
 */
export const upyun: Transport = {
  inOrder: true,
  settlesWithinMs: 15 * 60_000,
  sendChunk: (work, chunk) => sendForm(work, chunk),
}

const sendForm = async (work: Work, chunk: Chunk): Promise<Receipt> => {
  const { state, blob, part, tickets } = chunk
  if (part.length !== blob.size) throw new FatalError('internal', 'Upyun takes a file in one chunk only')
  const [url, policy, authorization] = await Promise.all([
    ticketOf(tickets, ticket.url(1)),
    ticketOf(tickets, ticket.uploadPolicy),
    ticketOf(tickets, ticket.credential),
  ])
  const fields = [
    ['policy', policy],
    ['authorization', authorization],
    ...(state.mimeType === '' ? [] : [['content-type', state.mimeType] as const]),
  ] as const
  const { body, contentType } = formOf(fields, chunk.body)
  const what = 'POST form to upyun'
  const request = { method: 'POST', url, what, body, totalMs: work.timing.chunkMs } as const
  const headers = { 'content-type': contentType }
  const answered = { answer: await work.storage.send({ ...request, headers }, work.signal), url, what }
  if (answered.answer.status === 200) assertNoPage(answered)
  else await settle(work, state, answered)
  return {}
}

/** A form whose answer was lost may be refused the next time, and be in the file that the site shows meanwhile. */
const settle = async (work: Work, state: SessionState, answered: Answered): Promise<void> => {
  const refusal = refusalOf(answered)
  if (!(refusal instanceof Blamed)) throw refusal
  const isOver = isExpired(work, state, answered.answer)
  const lost = isOver ? sessionLost(`${refusal.message}: the upload session has expired`) : refusal
  await unlessComplete(work, state, lost)
}

/** The file comes last: Upyun reads no field behind it. */
const formOf = (
  fields: readonly (readonly [name: string, value: string])[],
  file: Slice,
): { body: Slice; contentType: string } => {
  const boundary = `stevedore-${randomUUID()}`
  const begin = (name: string, more = ''): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n`
  const head = fields.map(([name, value]) => `${begin(name)}\r\n${value}\r\n`).join('')
  const fileHead = `${begin('file', '; filename="file"')}Content-Type: application/octet-stream\r\n\r\n`
  return {
    body: framed(file, Buffer.from(head + fileHead), Buffer.from(`\r\n--${boundary}--\r\n`)),
    contentType: `multipart/form-data; boundary=${boundary}`,
  }
}
