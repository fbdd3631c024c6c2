import { randomBytes, randomUUID } from 'node:crypto'
import type { Reply } from '../http/replies.ts'
import type { Content } from './content.ts'
import { ApiError, success } from './envelope.ts'
import type { Policy } from './options.ts'
import {
  SESSION_MARK,
  charge,
  checkNames,
  checkPolicy,
  checkPrevious,
  checkQuota,
  dropEntity,
  ensureFolder,
  newEncryption,
  newEntity,
  newRecord,
} from './records.ts'
import { checkTicket, ownUri, readBody, requireUser } from './requests.ts'
import { sessionAnswer } from './session-answer.ts'
import {
  type Place,
  type Wanted,
  checkFree,
  checkMetadata,
  createSchema,
  policyOf,
} from './session-request.ts'
import type { Session } from './sessions.ts'
import type { Site, SiteExchange } from './site.ts'
import type { Store } from './stores/store.ts'
import type { Entity } from './tree.ts'
import { parentOf } from './uris.ts'

/** `PUT /file/upload`: checks in the order of the real code, then a lock, a placeholder and the driver's token. */
export async function createSession(site: Site, exchange: SiteExchange): Promise<Reply> {
  const wanted = await readBody(site, exchange, createSchema)
  checkMetadata(wanted.metadata ?? {})
  checkTicket(site, exchange)
  const user = requireUser(exchange)
  const { path } = ownUri(site, exchange, { user, text: wanted.uri })
  const policy = policyOf(site, wanted, path)
  const existing = user.tree.get(path)
  checkFree(site, { user, path, existing, entityType: wanted.entity_type ?? '' })
  checkNames(path)
  checkPolicy(policy, path, wanted.size)
  checkQuota(user, wanted.size)
  checkPrevious(site, existing, wanted.previous)
  const session = await place(site, { user, path, policy, wanted, existing })
  exchange.entry.sessionId = session.id
  try {
    return success(await sessionAnswer(site, session, wanted.mime_type ?? ''))
  } catch (error) {
    await withdraw(site, session)
    // What a driver says is no error of the API: -1, and not a word.
    throw error instanceof ApiError ? error : new ApiError(-1)
  }
}

/** Lock, placeholder and session: all that is there before the driver is asked. */
async function place(
  site: Site,
  { user, path, policy, wanted, existing }: Place & { policy: Policy; wanted: Wanted },
): Promise<Session> {
  ensureFolder(site, user, parentOf(path))
  const file = existing ?? newRecord(site, user, { type: 'file', path })
  const id = randomUUID()
  const store = policy.relay ? undefined : site.stores.find(({ kind }) => kind === policy.type)
  const expires = site.now() + site.settings.sessionLifetimeMs
  const entity = newEntity(site, {
    size: wanted.size,
    type: wanted.entity_type === 'live_photo' ? 'livePhoto' : 'version',
    policy,
    sessionId: id,
    content: contentFor(site, store, id),
    encryption: encryptionFor(site, policy, wanted),
  })
  const stale = file.entities.filter(({ sessionId }) => sessionId !== undefined)
  file.entities.push(entity)
  file.metadata.set(SESSION_MARK, id)
  if (site.abilities.tracksChunks) charge(user, entity, wanted.size)
  const lock = site.locks.take({ user: user.email, path, sessionId: id, expires })
  const session: Session = {
    id,
    user,
    file,
    entity,
    size: wanted.size,
    chunkSize: chunkSizeOf(policy),
    policy,
    store,
    expires,
    callbackSecret: randomBytes(16).toString('hex'),
    lockToken: lock.token,
    lastModified: wanted.last_modified ?? 0,
    metadata: wanted.metadata ?? {},
    isVersion: existing !== undefined,
    received: new Set(),
    underWay: new Set(),
    sentinelDone: false,
  }
  site.sessions.add(session)
  // Nothing above waits: of two that come at once the second finds the lock.
  await dropAll(site, session, stale)
  return session
}

/** Placeholders that nobody works on any more. */
async function dropAll(site: Site, { user, file }: Session, stale: Entity[]): Promise<void> {
  for (const entity of stale) {
    site.sessions.end(entity.sessionId ?? '')
    await dropEntity(user, file, entity)
  }
}

function contentFor({ disk }: Site, store: Store | undefined, sessionId: string): Content {
  return store === undefined
    ? { at: 'site', blob: disk.create() }
    : { at: 'store', store, key: `uploads/${sessionId}` }
}

function encryptionFor(
  site: Site,
  { encryption, relay }: Policy,
  { encryption_supported = [] }: Wanted,
): Entity['encryption'] {
  if (!encryption || !site.abilities.encryption) return undefined
  return relay || encryption_supported[0] === 'aes-256-ctr' ? newEncryption(site) : undefined
}

const DEFAULT_CHUNK = 25 * 1024 * 1024
const NEVER_WHOLE = new Set<Policy['type']>(['s3', 'ks3', 'cos', 'oss', 'obs'])

function chunkSizeOf({ relay, type, chunkSize }: Policy): number {
  if (relay || type === 'upyun') return 0
  return chunkSize === 0 && NEVER_WHOLE.has(type) ? DEFAULT_CHUNK : chunkSize
}

async function withdraw(site: Site, session: Session): Promise<void> {
  const { user, file, entity } = session
  site.locks.release(session.lockToken)
  site.sessions.end(session.id)
  await dropEntity(user, file, entity)
  file.metadata.delete(SESSION_MARK)
  if (!session.isVersion) user.tree.remove(file)
}
