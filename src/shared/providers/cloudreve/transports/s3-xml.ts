import { XMLBuilder, XMLParser } from 'fast-xml-parser'
import { z } from 'zod'
import type { Receipt } from '../../provider.ts'

// Numbers stay text: a code or an upload id may look like one.
const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, ignoreDeclaration: true })
const builder = new XMLBuilder({})

const errorBody = z.object({
  Code: z.string().catch(''),
  Message: z.string().catch(''),
})

export interface StoreXml {
  /** Such as `CompleteMultipartUploadResult` or `Error`; empty when the text is no XML. */
  readonly root: string
  /** Of an `<Error>`, else empty. */
  readonly code: string
  readonly message: string
}

/** What a store of S3's kind says, whatever text came instead. */
export const readXml = (text: string): StoreXml => {
  const [root, body] = elementIn(text) ?? ['', undefined]
  const { Code: code, Message: message } = errorBody.catch({ Code: '', Message: '' }).parse(body)
  return root === 'Error' ? { root, code, message } : { root, code: '', message: '' }
}

const elementIn = (text: string): [string, unknown] | undefined => {
  try {
    const parsed: unknown = parser.parse(text)
    return Object.entries(z.record(z.string(), z.unknown()).parse(parsed)).find(([name]) => name !== '#text')
  } catch {
    return undefined
  }
}

/**
 * What completes a multipart upload; receipts in part order, their ETags as they came. No declaration and no
 * namespace, as Cloudreve's own client sends it.
 * cloudreve/frontend:src/api/api.ts@19da0fe
 */
export const completionXml = (receipts: readonly Receipt[]): string => {
  const parts = receipts.map(({ etag = '' }, index) => ({
    PartNumber: index + 1,
    // A mark that only a proxy sets, and that no store knows its own ETag by.
    ETag: etag.replace(/^W\//, ''),
  }))
  return builder.build({ CompleteMultipartUpload: { Part: parts } })
}
