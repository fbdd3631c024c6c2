import { AccountParked, Blamed, InOrder } from '#shared/errors.ts'
import { partCount } from '../../cut.ts'
import type { Receipt } from '../../provider.ts'
import { codes, SiteRefusal, SiteTrouble } from '../site/codes.ts'
import type { Work } from '../deps.ts'
import type { Chunk } from './transport.ts'
import { mayHaveArrived, sessionLost, unlessComplete } from './uncertain.ts'

/** The bytes went to the site or to a node of it, and nothing is told of them: neither ETag nor digest. */
const TAKEN: Receipt = {}

/**
 * Sends a chunk to the site itself or to one of its nodes, both of which answer in codes, and settles what has no
 * certain outcome: section 1.2 of the codes, as be:pkg/filemanager/manager/upload.go@0bb0ab83 means them.
 */
export const sendToSite = async (work: Work, chunk: Chunk, send: () => Promise<void>): Promise<Receipt> => {
  try {
    await send()
    return TAKEN
  } catch (error) {
    work.signal.throwIfAborted()
    await settle(work, chunk, error)
    return TAKEN
  }
}

/** Returns when the site has the file whole; else throws what the failure means for this chunk. */
const settle = async (work: Work, chunk: Chunk, error: unknown): Promise<void> => {
  // Sent again after the pause, a chunk that arrived says so; until then nothing is asked.
  if (error instanceof AccountParked) throw error
  if (error instanceof Error && mayHaveArrived(error) && isLast(chunk)) {
    return unlessComplete(work, chunk.state, error)
  }
  if (!(error instanceof SiteRefusal || error instanceof SiteTrouble)) throw error
  if (OVER.has(error.code ?? 0)) return unlessComplete(work, chunk.state, sessionLost(error.message))
  throw ofThisChunk(work, chunk, error)
}

/** Its answer is the one that tells of completion, and a repetition of it tells nothing. */
const isLast = ({ part, blob }: Chunk): boolean => part.number === partCount(blob)

/** The session ended, or what it needs did: also after the file was completed. */
const OVER: ReadonlySet<number> = new Set([
  codes.sessionGone,
  codes.parentMissing,
  codes.callbackFailed,
  40005,
  40075,
])
const LOCKED: ReadonlySet<number> = new Set([codes.locked, codes.conflictingUpload])
/** Its length, or the lock of somebody else: not for ever. */
const BLAMED: ReadonlySet<number> = new Set([40013, 409])

/** What is under way beside this chunk takes seconds. */
const IN_ORDER_PAUSES = 10

const ofThisChunk = (work: Work, { blob }: Chunk, error: SiteRefusal | SiteTrouble): Error => {
  const { code = 0, message } = error
  const pauseMs = work.timing.retryMs * IN_ORDER_PAUSES
  const early = blob.parallel > 1 ? new InOrder(message, pauseMs, { cause: error }) : undefined
  if (LOCKED.has(code)) {
    if (hasOwner(error)) return new Blamed(message, 'conflict', { cause: error })
    // The site's lock of this session went with its memory; or two chunks asked for it at the same moment.
    return early ?? sessionLost(message)
  }
  if (code === codes.ioFailed && early !== undefined) return early
  if (error instanceof SiteTrouble || BLAMED.has(code)) {
    return new Blamed(message, 'part-failed', { cause: error })
  }
  return error
}

const hasOwner = (error: SiteRefusal | SiteTrouble): boolean =>
  error instanceof SiteRefusal && Array.isArray(error.data) && error.data.length > 0
