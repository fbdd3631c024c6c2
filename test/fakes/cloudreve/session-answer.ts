import { ApiError } from './envelope.ts'
import type { Session } from './sessions.ts'
import type { Site } from './site.ts'
import type { Opened } from './stores/store.ts'
import type { Entity } from './tree.ts'
import { uriOf } from './uris.ts'
import { policyView } from './views.ts'

/** What the client is told of its new session, with what the policy's driver has to say; throws where that fails. */
export async function sessionAnswer(site: Site, session: Session, mimeType: string): Promise<unknown> {
  const opened = await open(site, session, mimeType)
  const { upload_id = '', upload_urls = [], credential, completeURL, upload_policy } = opened ?? {}
  return {
    session_id: session.id,
    upload_id,
    chunk_size: session.chunkSize,
    expires: Math.floor(session.expires / 1000),
    ...(upload_urls.length > 0 && { upload_urls }),
    credential,
    completeURL,
    storage_policy: policyView(site, session.policy),
    uri: uriOf(session.file.path),
    callback_secret: session.callbackSecret,
    ...(mimeType !== '' && { mime_type: mimeType }),
    upload_policy,
    ...(!session.policy.relay && { encrypt_metadata: encryptMetadata(session.entity) }),
  }
}

function encryptMetadata({ encryption }: Entity): unknown {
  return (
    encryption && {
      algorithm: 'aes-256-ctr',
      key: null,
      key_plain_text: encryption.key.toString('base64'),
      iv: encryption.iv.toString('base64'),
    }
  )
}

/** What the driver says; the site itself has nothing to say but makes room. */
async function open(site: Site, session: Session, mimeType: string): Promise<Opened | undefined> {
  const { id, entity, store, size, chunkSize, expires, policy, callbackSecret } = session
  if (entity.content.at === 'site') {
    if (policy.preAllocate && !policy.relay) await entity.content.blob.allocate(size)
    return undefined
  }
  // OneDrive knows no upload session without bytes.
  if (policy.type === 'onedrive' && size === 0) throw new ApiError(-1)
  return store?.open({
    sessionId: id,
    key: entity.content.key,
    size,
    chunkSize,
    mimeType,
    expires,
    callbackUrl: `${site.origin}/api/v4/callback/${policy.type}/${id}/${callbackSecret}`,
  })
}
