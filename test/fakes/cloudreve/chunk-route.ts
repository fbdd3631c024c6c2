import { setImmediate as nextTurn } from 'node:timers/promises'
import { countedBody } from '../http/bodies.ts'
import type { Reply } from '../http/replies.ts'
import { alteration } from '../http/spoilt.ts'
import { checkStillOurs, completeUpload } from './completion.ts'
import { encrypted } from './content.ts'
import { ApiError, badParameter, success } from './envelope.ts'
import { announcedLength, checkTicket } from './requests.ts'
import { type Session, chunkCount } from './sessions.ts'
import type { Site, SiteExchange } from './site.ts'

/** `POST /file/upload/{sessionId}/{index}`, with the checks in the order of the real code. */
export async function sendChunk(site: Site, exchange: SiteExchange): Promise<Reply> {
  const { entry, params } = exchange
  const index = indexOf(params['index'] ?? '')
  checkTicket(site, exchange)
  const session = sessionOf(site, exchange, index)
  const call = Symbol(String(index))
  // Of a request that was given up the end may be seen a moment after the one that took its place.
  await nextTurn()
  noteOrder(site, session, index)
  const conflicts = session.underWay.size > 0 && site.switches.spuriousConflicts > 0
  if (conflicts) site.switches.spuriousConflicts -= 1
  session.underWay.add(call)
  exchange.ends.push(() => session.underWay.delete(call))
  if (conflicts) throw new ApiError(40_073, 'Lock conflict')
  const length = expectedLength(session, index)
  checkContentType(site, exchange)
  const announced = announcedLength(site, exchange)
  if (announced !== length) throw new ApiError(40_013, `Content-Length must be ${length}`)
  await write(exchange, session, { offset: index * session.chunkSize, length })
  entry.chunkIndex = index
  await received(site, session, index)
  return success()
}

function indexOf(text: string): number {
  if (!/^\d+$/.test(text)) throw badParameter('index must be a number')
  return Number(text)
}

function sessionOf(site: Site, { identity, params }: SiteExchange, index: number): Session {
  const id = params['sessionId'] ?? ''
  const known = site.sessions.ever(id)
  if (known?.received.has(index) === true && identity.user === known.user) site.resentAcknowledged += 1
  const session = site.sessions.live(id)
  if (session === undefined || session.user !== identity.user) {
    throw new ApiError(40_011, 'Upload session expired')
  }
  checkStillOurs(site, session)
  const { policy } = session
  if (policy.type !== 'local' && !policy.relay) throw new ApiError(40_006, 'Policy not allowed')
  return session
}

/** What the client should have waited for. */
function noteOrder(site: Site, session: Session, index: number): void {
  const { received, underWay, id } = session
  const parallel = parallelOf(site, session)
  const count = chunkCount(session)
  const missing = [...Array(Math.min(index, count)).keys()].filter((earlier) => !received.has(earlier))
  if (parallel === 1 && missing.length > 0) {
    site.violations.push(`sendChunk: ${id} chunk ${index} came before chunk ${missing[0]}`)
  }
  if (underWay.size >= parallel) {
    const now = underWay.size + 1
    site.violations.push(`sendChunk: ${id} has ${now} chunks under way at once, ${parallel} allowed`)
  }
  if (!site.abilities.tracksChunks && parallel > 1 && index === count - 1 && missing.length > 0) {
    site.violations.push(`sendChunk: ${id} the last chunk came before chunk ${missing[0]}`)
  }
}

/** How many chunks the client was told to have under way at most; 1 means in order. */
function parallelOf({ abilities }: Site, session: Session): number {
  const { relay, chunkConcurrency } = session.policy
  if (relay || !abilities.chunkConcurrency) return 1
  return Math.min(chunkConcurrency ?? 1, chunkCount(session))
}

/** 40012 for an index that the file does not have. */
function expectedLength({ size, chunkSize }: Session, index: number): number {
  const offset = index * chunkSize
  if (index > 0 && (chunkSize === 0 || offset >= size)) throw new ApiError(40_012, 'Invalid chunk index')
  return chunkSize === 0 ? size : Math.min(chunkSize, size - offset)
}

function checkContentType({ violations }: Site, { request }: SiteExchange): void {
  const type = request.headers['content-type'] ?? 'none'
  if (type !== 'application/octet-stream') violations.push(`sendChunk: Content-Type ${type}`)
}

/** As the local driver does: at its offset, unless the file is not that long yet. */
async function write(
  { request, entry, fault }: SiteExchange,
  { entity, policy }: Session,
  { offset, length }: { offset: number; length: number },
): Promise<void> {
  const { content, encryption } = entity
  if (content.at === 'store') throw new ApiError(40_006, 'Policy not allowed')
  if (content.blob.length() < offset) throw new ApiError(50_004, 'IO failed: file is shorter than the offset')
  const altered = alteration(fault, length)(countedBody(request, entry))
  const source = policy.relay && encryption !== undefined ? encrypted(altered, encryption) : altered
  await content.blob.write(offset, source)
  if (entry.bytes !== length) throw new ApiError(50_004, `IO failed: ${entry.bytes} bytes came`)
}

/** Marked before the completion is tried: that is the defect which leaves an upload stuck. */
async function received(site: Site, session: Session, index: number): Promise<void> {
  const wasComplete = isComplete(site, session)
  session.received.add(index)
  const isLast = index === chunkCount(session) - 1
  const completes = site.abilities.tracksChunks ? isComplete(site, session) : isLast
  if (!completes || (wasComplete && site.settings.stuckComplete && site.abilities.tracksChunks)) return
  await completeUpload(site, session)
}

function isComplete({ abilities }: Site, session: Session): boolean {
  return abilities.tracksChunks && session.received.size === chunkCount(session)
}
