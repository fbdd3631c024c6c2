import { AccountParked, Blamed, Unreachable } from '#shared/errors.ts'
import { failureOf, originOf } from '#shared/http/failure.ts'
import type { HttpAnswer } from '#shared/http.ts'
import type { Blob, Part, Receipt, Slice } from '../provider.ts'
import { Refusal } from './answers.ts'
import { startFileDataUpload } from './api.ts'
import { pause } from '#shared/pause.ts'
import type { Work } from './deps.ts'
import { base64Of } from './files.ts'
import { SIGNATURE_MIME } from './request.ts'
import type { SessionState } from './session.ts'
import { assertSameUpload, dataId, isSimple, nameOf, standingOf } from './standing.ts'

interface Sending {
  readonly blob: Blob
  readonly part: HashedPart
  readonly slice: Slice
}

type HashedPart = Part & { readonly md5: string }

// A URL signed a moment ago and refused as too old is asked for again; a third refusal is no accident.
const MOST_URLS = 3
const MOST_STARTS = 3
const S3_CODES = [
  'AccessDenied',
  'BadDigest',
  'EntityTooLarge',
  'EntityTooSmall',
  'ExpiredToken',
  'InvalidDigest',
  'InternalError',
  'MissingContentLength',
  'NoSuchUpload',
  'NotImplemented',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'SignatureDoesNotMatch',
  'SlowDown',
] as const

/** Signs a URL, sends the part there, and compares the ETag with the part's MD5. */
export const sendOnePart = async (
  work: Work,
  state: SessionState,
  { blob, part: given, slice }: Omit<Sending, 'part'> & { readonly part: Part },
): Promise<Receipt> => {
  const part = hashed(given)
  const sending = { blob, part, slice }
  let urls = 0
  let differences = 0
  for (;;) {
    const url = await signedUrl(work, state, sending)
    // Sent once more by a late run after the blob was completed: what VRChat has is whole.
    if (url === 'finished') return { etag: `"${part.md5}"` }
    urls += 1
    const { answer, what } = await put(work, state, { ...sending, url })
    if (answer.status === 403 && urls < MOST_URLS && codeOf(answer) !== 'SignatureDoesNotMatch') continue
    if (answer.status >= 300) throw await refusalOfStorage(work, state, { ...sending, answer, url, what })
    const etag = answer.header('etag')
    if (etag !== undefined && isExpected(work, etag, part)) return { etag }
    differences += 1
    if (differences > 1) throw differentEtag(what, etag)
  }
}

const hashed = (part: Part): HashedPart => {
  const { md5 } = part
  if (md5 === undefined) throw new Error(`part ${String(part.number)} was not hashed, as the plan wants it`)
  return { ...part, md5 }
}

const signedUrl = async (work: Work, state: SessionState, { blob, part }: Sending): Promise<string> => {
  const partNumber = isSimple(state[nameOf(blob)]) ? undefined : part.number
  for (let tries = 1; ; tries++) {
    try {
      return await startFileDataUpload(work.api, dataId(state, blob), partNumber)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if ((await standingOf(work, state, blob)) === 'finished') return 'finished'
      // Refused although it is there and waiting: some of VRChat's servers do not know the version yet.
      if (tries === MOST_STARTS) throw new Blamed(error.message, 'refused', { cause: error })
      await pause(work.timing.lagMs * tries, work.signal)
    }
  }
}

/**
 * Simple uploads must carry what was declared, parts of multipart ones must not:
 * docs/vrchat.md, Storage headers.
 */
const put = async (
  { storage, timing, signal }: Work,
  state: SessionState,
  { blob, part, slice, url }: Sending & { readonly url: string },
): Promise<{ answer: HttpAnswer; what: string }> => {
  const mime = nameOf(blob) === 'file' ? state.mimeType : SIGNATURE_MIME
  const headers = { 'content-type': mime, 'content-md5': base64Of(part.md5) }
  const what = `PUT ${blob.name} part ${String(part.number)}`
  const request = { method: 'PUT', url, what, body: slice, totalMs: timing.partMs } as const
  const simple = isSimple(state[nameOf(blob)])
  return { what, answer: await storage.send(simple ? { ...request, headers } : request, signal) }
}

const refusalOfStorage = async (
  work: Work,
  state: SessionState,
  { blob, answer, url, what }: Sending & { answer: HttpAnswer; url: string; what: string },
): Promise<Error> => {
  const code = codeOf(answer)
  const general = failureOf(answer, { url, what }, code)
  if (general instanceof Unreachable || general instanceof AccountParked) return general
  // S3's word for a body that came too slowly, in spite of its 400.
  if (code === 'RequestTimeout') return new Unreachable(originOf(url), general.message)
  const blamed = new Blamed(general.message, 'part-failed')
  // The store forgets an upload that was finished. Asked for its status, VRChat would hang.
  if (answer.status === 404 && (await standingOf(work, state, blob)) === 'finished') return blamed
  await assertSameUpload(work, state, blob)
  return blamed
}

// Only known words are repeated: S3's longer texts hold the signature they were asked to check.
const codeOf = ({ text }: HttpAnswer): string =>
  S3_CODES.find((code) => text.includes(`<Code>${code}</Code>`)) ?? ''

/** Without quotes and weakness mark, as `/finish` wants it. */
export const plainEtag = (etag: string): string => etag.trim().replace(/^W\//, '').replace(/^"|"$/g, '')

const isExpected = ({ settings }: Work, etag: string, part: HashedPart): boolean => {
  const plain = plainEtag(etag)
  return settings.etagCheck === 'opaque' ? plain !== '' : plain.toLowerCase() === part.md5
}

const differentEtag = (what: string, etag: string | undefined): Blamed =>
  new Blamed(
    `${what} → ${etag === undefined ? 'no ETag' : 'an ETag that is not the MD5 of what was sent'}, twice; ` +
      'if this storage makes its ETags another way, set the account setting etagCheck: strict | opaque to opaque',
    'etag-mismatch',
  )
