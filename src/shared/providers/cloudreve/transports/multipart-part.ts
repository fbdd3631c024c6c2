import { Blamed } from '#shared/errors.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { Receipt } from '../../provider.ts'
import type { Work } from '../deps.ts'
import { ticket } from '../session.ts'
import type { Answered } from './store-answers.ts'
import { codeIn } from './store-codes.ts'
import { putPart, type StorePart } from './store-part.ts'
import { ticketOf } from './store-tickets.ts'
import type { Chunk } from './transport.ts'

/**
 * Puts one part to its presigned URL, as S3 and its relatives take it. The ETag is kept as it came; where it is the
 * MD5 of the part, it has to be that of what was sent.
 */
export const sendMultipartPart = async (
  work: Work,
  chunk: Chunk,
  { needsEtag, ifGone }: { readonly needsEtag: boolean } & Pick<StorePart, 'ifGone'>,
): Promise<Receipt> => {
  const read = (answered: Answered): { etag?: string; md5?: string } => {
    const etag = answered.answer.header('etag')
    if (etag === undefined || etag === '') {
      if (needsEtag) throw withoutEtag(answered)
      return {}
    }
    const md5 = work.settings.etagCheck === 'strict' ? md5In(etag) : undefined
    return { etag, ...(md5 !== undefined && { md5 }) }
  }
  const url = await ticketOf(chunk.tickets, ticket.url(chunk.part.number))
  return putPart(work, chunk, { url, read, isGone, hint: HINT, ...(ifGone && { ifGone }) })
}

const HINT =
  'if this storage makes its ETags another way, set the account setting etagCheck: strict | opaque to opaque'

/** Only of plain parts: one that was put together, or encrypted by the store, looks otherwise. */
const md5In = (etag: string): string | undefined =>
  /^(?:W\/)?"?([0-9a-f]{32})"?$/i.exec(etag.trim())?.[1]?.toLowerCase()

const isGone = (answer: HttpAnswer): boolean => answer.status === 404 && codeIn(answer) === 'NoSuchUpload'

const withoutEtag = ({ what }: Answered): Blamed =>
  new Blamed(
    `${what} → 200 without an ETag, which completing the upload needs: a proxy before the store drops it, ` +
      'or its CORS rules do not expose it',
    'etag-mismatch',
  )
