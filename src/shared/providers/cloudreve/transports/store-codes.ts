import { z } from 'zod'
import type { HttpAnswer } from '#shared/http.ts'
import { readXml } from './s3-xml.ts'

// Only known words are repeated: longer texts hold the signature that was to be checked.
const CODES: ReadonlySet<string> = new Set([
  'AccessDenied',
  'BadDigest',
  'CallbackFailed',
  'EntityTooLarge',
  'EntityTooSmall',
  'ExpiredToken',
  'FileAlreadyExists',
  'InternalError',
  'InvalidAccessKeyId',
  'InvalidArgument',
  'InvalidDigest',
  'InvalidPart',
  'InvalidPartOrder',
  'InvalidRequest',
  'MalformedXML',
  'MissingContentLength',
  'NoSuchBucket',
  'NoSuchUpload',
  'NotImplemented',
  'ObjectAlreadyExists',
  'QuotaExceeded',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SignatureDoesNotMatch',
  'SlowDown',
  'accessDenied',
  'activityLimitReached',
  'fragmentOverlap',
  'generalException',
  'invalidRange',
  'invalidRequest',
  'itemNotFound',
  'nameAlreadyExists',
  'quotaLimitReached',
  'resourceModified',
  'serviceNotAvailable',
  'unauthenticated',
])

const numeric = z.union([z.string(), z.number()]).transform(String)
const coded = z.object({ code: numeric.optional(), Code: numeric.optional() })
/** OBS has both forms, OneDrive wraps it, Upyun's codes are numbers; Qiniu has only a sentence. */
const jsonError = coded.extend({ error: coded.optional().catch(undefined) })

/** The store's code for what went wrong, if it is one that is known to tell nothing else; else empty. */
export const codeIn = ({ text }: HttpAnswer): string => {
  const json = jsonError.safeParse(jsonIn(text)).data
  const code = json?.error?.code ?? json?.code ?? json?.Code ?? readXml(text).code
  return CODES.has(code) || /^4\d{7}$/.test(code) ? code : ''
}

/** The body as JSON; `undefined` when it is none. */
export const jsonIn = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
