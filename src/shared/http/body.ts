import type { Readable } from 'node:stream'
import type { Slice } from '../providers/provider.ts'

export type RequestBody = string | Slice

interface OpenBody {
  readonly stream?: Readable
  readonly text?: string
  readonly headers: Readonly<Record<string, string>>
}

/** Opens what a request sends, with the length that keeps it from going out chunked. */
export const openBody = (body: RequestBody | undefined): OpenBody => {
  if (body === undefined) return { headers: {} }
  if (typeof body === 'string') return { text: body, headers: {} }
  // A file opened at `start: 0, end: -1` would read one byte; undici sends `content-length: 0` by itself.
  if (body.length === 0) return { headers: {} }
  return { stream: body.open(), headers: { 'content-length': String(body.length) } }
}
