import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Reply } from '../http/replies.ts'
import { ApiError, success } from './envelope.ts'
import { existing } from './file-routes.ts'
import { bytesOf, storedSize } from './entity-bytes.ts'
import { ownUri, readBody, requireUser } from './requests.ts'
import type { Site, SiteExchange } from './site.ts'
import { nameOf } from './uris.ts'
import type { User } from './users.ts'

const urlSchema = z.object({
  uris: z.array(z.string()).min(1),
  entity: z.string().optional(),
  download: z.boolean().optional(),
  redirect: z.boolean().optional(),
  no_cache: z.boolean().optional(),
  skip_error: z.boolean().optional(),
  use_primary_site_url: z.boolean().optional(),
  archive: z.boolean().optional(),
})

const LIFETIME_MS = 3_600_000

/** `POST /file/url`: signed addresses, one for each URI. As the public API pages have it (apifox: Create download URL). */
export async function downloadUrl(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { uris, entity } = await readBody(site, exchange, urlSchema)
  const user = requireUser(exchange)
  const expires = Date.now() + LIFETIME_MS
  const urls = uris.map((text) => ({ url: signedUrl(site, exchange, { user, text, entity, expires }) }))
  return success({ urls, expires: new Date(expires).toISOString() })
}

interface Wanted {
  user: User
  text: string
  entity: string | undefined
  expires: number
}

function signedUrl(site: Site, exchange: SiteExchange, { user, text, entity, expires }: Wanted): string {
  const file = existing(user, ownUri(site, exchange, { user, text }).path)
  const version =
    entity === undefined || entity === '' ? file.primary : file.entities.find(({ id }) => id === entity)
  if (version === undefined || version.sessionId !== undefined) throw new ApiError(40_077, 'Entity not exist')
  const sign = randomBytes(24).toString('base64url')
  const name = nameOf(file.path)
  site.downloads.set(sign, { user, entityId: version.id, name, expires })
  return `${site.origin}/api/v4/file/content/${version.id}/0/${encodeURIComponent(name)}?sign=${sign}`
}

/** `GET /file/content/{entity}/{speed}/{name}?sign=…`, which takes no login. */
export async function download(site: Site, { url, params }: SiteExchange): Promise<Reply> {
  const grant = site.downloads.get(url.searchParams.get('sign') ?? '')
  if (grant?.entityId !== params['entity']) throw new ApiError(40_071, 'Invalid sign')
  if (grant === undefined || grant.expires < Date.now()) throw new ApiError(40_005, 'Signature expired')
  const entity = grant.user.tree
    .all()
    .flatMap(({ entities }) => entities)
    .find(({ id }) => id === grant.entityId)
  if (entity === undefined) throw new ApiError(40_044, 'File not exist')
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(await storedSize(entity)),
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(grant.name)}`,
    etag: `"${entity.id}"`,
  }
  return { status: 200, headers, body: bytesOf(entity) }
}
