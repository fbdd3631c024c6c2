import { randomBytes } from 'node:crypto'
import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'
import { z } from 'zod'
import type { Reply } from '../../http/replies.ts'

const builder = new XMLBuilder()
const parser = new XMLParser({ parseTagValue: false, isArray: (name) => name === 'Part' })

export function xmlReply(status: number, content: Record<string, unknown>): Reply {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(content)}`
  return { status, headers: { 'content-type': 'application/xml' }, body }
}

/** As S3, and whoever speaks like it, says what is wrong. */
export function xmlError(status: number, code: string, message: string): Reply {
  const requestId = randomBytes(8).toString('hex').toUpperCase()
  return xmlReply(status, { Error: { Code: code, Message: message, RequestId: requestId, HostId: 'fake' } })
}

export interface ListedPart {
  /** From 1. */
  readonly number: number
  /** Without quotes: stores compare without them. */
  readonly etag: string
}

const listSchema = z.object({
  CompleteMultipartUpload: z.object({
    Part: z.array(z.object({ PartNumber: z.string().regex(/^\d+$/), ETag: z.string().min(1) })).min(1),
  }),
})

/** The parts of a `CompleteMultipartUpload` document, as they are listed; undefined for any other. */
export function parsePartList(text: string): ListedPart[] | undefined {
  if (XMLValidator.validate(text) !== true) return undefined
  const parsed = listSchema.safeParse(parser.parse(text))
  return parsed.data?.CompleteMultipartUpload.Part.map(({ PartNumber, ETag }) => ({
    number: Number(PartNumber),
    etag: ETag.replaceAll('"', ''),
  }))
}
