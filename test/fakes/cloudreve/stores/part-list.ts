import { Refusal } from '../../http/replies.ts'
import { chunkCount } from './chunks.ts'
import { refused, violation } from './intake.ts'
import type { Completion, Dialect } from './multipart-store.ts'
import { joinedEtag } from './multipart-store.ts'
import type { Upload } from './shelf.ts'
import { type ListedPart, parsePartList } from './xml.ts'

/** Checks the list of parts that was sent as S3 does, and joins them; answers the ETag of the object. */
export async function joinListed(
  { host, shelf, exchange, upload, body }: Completion,
  error: Dialect['error'],
): Promise<string> {
  const listed = parsePartList(body)
  if (listed === undefined) {
    const reply = error(400, 'MalformedXML', 'The XML you provided was not well-formed.')
    throw refused(host, exchange, 'no CompleteMultipartUpload document', reply)
  }
  const code = problemOf(upload, listed)
  if (code !== undefined) {
    throw refused(
      host,
      exchange,
      `the list of parts is refused with ${code}`,
      error(400, code, messages[code]),
    )
  }
  // What is not listed is left out of the object, and S3 does not mind.
  if (listed.length !== chunkCount(upload.opening)) {
    violation(host, exchange, `${listed.length} of ${chunkCount(upload.opening)} parts are listed`)
  }
  const indexes = listed.map(({ number }) => number - 1)
  const etag = joinedEtag(indexes.flatMap((index) => upload.parts.get(index) ?? []))
  await shelf.complete(upload, indexes)
  return etag
}

/** Refuses when an object is there already, for completions that forbid to overwrite. */
export function forbidOverwrite({ shelf, upload }: Completion, error: Dialect['error']): void {
  if (!shelf.has(upload.opening.key)) return
  throw new Refusal(error(409, 'FileAlreadyExists', 'The object you specified already exists.'))
}

const messages = {
  InvalidPart: 'One or more of the specified parts could not be found or its ETag does not match.',
  InvalidPartOrder: 'The list of parts was not in ascending order.',
}

function problemOf({ parts }: Upload, listed: readonly ListedPart[]): keyof typeof messages | undefined {
  const ascends = listed.every(({ number }, at) => number > (listed[at - 1]?.number ?? 0))
  if (!ascends) return 'InvalidPartOrder'
  const known = listed.every(({ number, etag }) => parts.get(number - 1)?.md5 === etag)
  return known ? undefined : 'InvalidPart'
}
