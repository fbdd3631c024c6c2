import { drain } from '../http/bodies.ts'
import { type Reply, json } from '../http/replies.ts'
import { checkStillOurs, completeUpload } from './completion.ts'
import { ApiError, envelopeOf, success } from './envelope.ts'
import type { Session } from './sessions.ts'
import type { Site, SiteExchange } from './site.ts'

/** The router knows each kind with one method only. */
const methods: Record<string, 'GET' | 'POST'> = {
  s3: 'GET',
  ks3: 'GET',
  cos: 'GET',
  onedrive: 'POST',
  oss: 'POST',
  obs: 'POST',
  qiniu: 'POST',
  upyun: 'POST',
  remote: 'POST',
}

/** `/callback/{kind}/{sessionId}/{secret}`: no JWT needed, id and secret are the credential. */
export async function callback(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { request, entry, params } = exchange
  const { kind = '' } = params
  await drain(request, entry)
  const method = methods[kind]
  if (request.method !== method) {
    site.violations.push(`callback: ${request.method} for ${kind}, which takes ${method ?? 'none'}`)
    return { status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' }
  }
  const session = sessionOf(site, params)
  try {
    await finish(site, session)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    entry.code = error.code
    return failure(kind, error, request.headers['x-cr-correlation-id'])
  }
  return success()
}

function sessionOf(site: Site, { kind, sessionId = '', secret }: Record<string, string>): Session {
  const session = site.sessions.live(sessionId)
  if (session !== undefined && session.callbackSecret === secret && session.policy.type === kind) {
    return session
  }
  throw new ApiError(40_011, 'Upload session expired', { status: 401 })
}

/** Each kind tells of its trouble in a way of its own. */
function failure(kind: string, error: ApiError, correlationId: string | string[] | undefined): Reply {
  const id = typeof correlationId === 'string' ? correlationId : undefined
  if (kind === 'qiniu') return json({ error: error.message }, 400)
  const status = kind === 'remote' || kind === 'onedrive' ? 200 : 400
  return envelopeOf(new ApiError(error.code, error.message, { ...error.details, status }), id)
}

async function finish(site: Site, session: Session): Promise<void> {
  checkStillOurs(site, session)
  if (site.switches.failCallbacks > 0) {
    site.switches.failCallbacks -= 1
    throw new ApiError(-1)
  }
  await checkStored(session)
  await completeUpload(site, session)
}

const LOOKED_AT = new Set(['s3', 'ks3', 'cos', 'onedrive'])
const MiB = 1024 * 1024

/** Of these four the site asks the store for the size; the others it believes. */
async function checkStored({ entity, policy, size, store }: Session): Promise<void> {
  if (!LOOKED_AT.has(policy.type) || entity.content.at === 'site') return
  const stored = await store?.stat(entity.content.key)
  if (stored === undefined) throw new ApiError(50_011, 'Cannot query metadata of the object')
  const slack = policy.type === 'onedrive' && policy.sharePoint ? MiB : 0
  if (stored < size || stored > size + slack) throw new ApiError(40_055, 'The size of the object differs')
}
