import { chunkAt, chunkCount } from './chunks.ts'
import type { Dialect } from './multipart-store.ts'
import type { Upload } from './shelf.ts'
import { encode } from './signing/scheme.ts'
import type { Opened } from './store.ts'

interface Place {
  readonly now: number
  readonly dialect: Dialect
  readonly origin: string
  readonly upload: Upload
}

/** One signed URL for each part, and one for the completion. */
export function signedUrls({ now, dialect, origin, upload }: Place): Opened {
  const { opening, id } = upload
  const object = `${origin}/bucket/${opening.key.split('/').map(encode).join('/')}`
  const signed = (
    method: string,
    query: readonly (readonly [string, string])[],
    headers: Record<string, string>,
  ) => {
    const url = new URL(object)
    url.search = query.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
    return dialect.scheme.sign({ method, url, headers, expires: opening.expires }, now)
  }
  const partUrl = (_: unknown, index: number) => {
    const headers = dialect.partHeaders(chunkAt(opening, index)?.length ?? 0)
    return signed(
      'PUT',
      [
        ['partNumber', String(index + 1)],
        ['uploadId', id],
      ],
      headers,
    )
  }
  const finish = [['uploadId', id] as const, ...(dialect.completeQuery?.(opening) ?? [])]
  return {
    upload_id: id,
    upload_urls: Array.from({ length: chunkCount(opening) }, partUrl),
    completeURL: signed('POST', finish, dialect.completeHeaders),
  }
}
