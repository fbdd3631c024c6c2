import { Refusal, type Reply, json } from '../../http/replies.ts'
import { assemble } from './assemble.ts'
import { chunkAt, chunkCount } from './chunks.ts'
import type { RequestHead, StoreExchange, StoreHost, StoreTarget } from './host.ts'
import { OCTETS, attended, checkLength, checkType, receive, refused } from './intake.ts'
import { slaveSecret, tellMaster } from './remote-callback.ts'
import { type Shelf, type Upload, createShelf } from './shelf.ts'
import { checkSlaveCredential, slaveCredential } from './signing/slave.ts'
import type { Store } from './store.ts'

export interface RemoteOptions {
  /** False refuses a chunk that would begin beyond what is there already. */
  readonly preAllocate?: boolean
  /** What 4.18.0 does after a failed callback: a chunk sent again answers 0, and nobody is told. */
  readonly stuckComplete?: boolean
  /** False, as before 4.18: complete as soon as the last chunk is there, whatever is missing. */
  readonly tracksChunks?: boolean
}

const PATH = '/api/v4/slave/upload/'

/** A slave node of Cloudreve 4.18: keeps chunks by the master's credential, and reports to the master at the end. */
export async function createRemoteStore(
  host: StoreHost,
  { preAllocate = true, stuckComplete = true, tracksChunks = true }: RemoteOptions = {},
): Promise<Store> {
  const shelf = await createShelf(host, 'remote')
  const stuck = new Map<string, Upload>()
  const options = { preAllocate, stuckComplete, tracksChunks }
  const server = await host.serve({
    targetOf: (head) => targetOf(shelf, head),
    process: attended(host, (exchange) => takeChunk({ host, shelf, stuck, options, exchange })),
    faultReply: (status) => envelope(-1, '', status),
  })
  const store = assemble({
    kind: 'remote',
    server,
    shelf,
    open: async (opening) => {
      const { id } = shelf.begin(opening, opening.sessionId)
      const path = PATH + id
      const credential = slaveCredential(slaveSecret, { path }, opening.expires)
      return { upload_id: '', upload_urls: [server.origin + path], credential }
    },
  })
  return {
    ...store,
    abort: async (sessionId) => {
      const upload = stuck.get(sessionId)
      stuck.delete(sessionId)
      if (upload !== undefined) await shelf.remove(upload.opening.key)
      await shelf.abort(sessionId)
    },
    unfinished: () => shelf.unfinished() + stuck.size,
  }
}

function targetOf(shelf: Shelf, { method, url }: RequestHead): StoreTarget {
  const sessionId = shelf.sessionOf(url.pathname.slice(PATH.length))
  if (method !== 'POST' || !url.pathname.startsWith(PATH)) return { operation: 'remote.unknown' }
  return { operation: 'remote.chunk', sessionId, chunkIndex: Number(url.searchParams.get('chunk') ?? NaN) }
}

interface Call {
  readonly host: StoreHost
  readonly shelf: Shelf
  /** All there, and the master was not told: what the slave can not get out of again. */
  readonly stuck: Map<string, Upload>
  readonly options: Required<RemoteOptions>
  readonly exchange: StoreExchange
}

async function takeChunk(call: Call): Promise<Reply> {
  const { shelf, stuck, options, exchange } = call
  const { upload, index } = checkedChunk(call)
  const part = await receive(shelf, exchange)
  if (stuck.has(upload.id)) {
    await shelf.disk.remove([part])
    return options.stuckComplete ? envelope(0) : report(call, upload)
  }
  if (!(await shelf.keep(upload, index, part))) throw sessionGone()
  if (!isWhole(call, upload)) return envelope(0)
  const indexes = [...upload.parts.keys()].toSorted((a, b) => a - b)
  await shelf.complete(upload, indexes)
  return report(call, upload)
}

/** In the order in which a slave checks. */
function checkedChunk(call: Call): { upload: Upload; index: number } {
  const { host, shelf, stuck, exchange } = call
  checkCredential(call)
  checkType(host, exchange, OCTETS, envelope(40001, 'Content-Type must be application/octet-stream'))
  const { sessionId = '', chunkIndex: index = NaN } = exchange.entry
  const upload = shelf.find(sessionId) ?? stuck.get(sessionId)
  if (upload === undefined || host.now() > upload.opening.expires) throw sessionGone()
  const chunk = chunkAt(upload.opening, index)
  if (chunk === undefined) {
    throw refused(host, exchange, 'there is no chunk of this index', envelope(40012, 'Invalid chunk index'))
  }
  checkExactLength(call, chunk.length)
  checkOrder(call, upload, chunk.offset)
  return { upload, index }
}

function isWhole({ options, exchange }: Call, { opening, parts }: Upload): boolean {
  const count = chunkCount(opening)
  return options.tracksChunks ? parts.size === count : exchange.entry.chunkIndex === count - 1
}

function checkCredential({ host, exchange }: Call): void {
  const { request, url, fault, entry } = exchange
  if (entry.operation !== 'remote.chunk') throw new Refusal(envelope(404, 'Not found', 404))
  const verdict = checkSlaveCredential(
    slaveSecret,
    { path: url.pathname, headers: request.headers },
    host.now(),
  )
  if (verdict === 'expired' || fault?.kind === 'expired') throw refusedQuietly(40005, 'Signature expired')
  if (verdict !== 'good') {
    throw refused(host, exchange, `the credential is ${verdict}`, envelope(40071, 'Invalid signature'))
  }
}

function checkExactLength({ host, exchange }: Call, expected: number): void {
  const wrong = envelope(40013, `Invalid content length (should be ${expected})`)
  const length = checkLength(host, exchange, { chunked: wrong, missing: wrong })
  if (length !== expected) throw refused(host, exchange, `${length} bytes instead of ${expected}`, wrong)
}

function checkOrder({ options: { preAllocate } }: Call, { opening, parts }: Upload, offset: number): void {
  if (preAllocate) return
  const ends = [...parts.keys()].map((index) => {
    const chunk = chunkAt(opening, index)
    return chunk === undefined ? 0 : chunk.offset + chunk.length
  })
  if (offset > Math.max(0, ...ends)) throw refusedQuietly(50004, 'IO operation failed')
}

async function report({ host, stuck }: Call, upload: Upload): Promise<Reply> {
  const told = await tellMaster(host, upload.opening)
  if (told) stuck.delete(upload.id)
  else stuck.set(upload.id, upload)
  return told ? envelope(0) : envelope(50007, 'Failed to process callback request')
}

function sessionGone(): Refusal {
  return refusedQuietly(40011, 'Upload session expired or not exist')
}

function refusedQuietly(code: number, msg: string): Refusal {
  return new Refusal(envelope(code, msg))
}

function envelope(code: number, msg = '', status = 200): Reply {
  return json({ code, msg }, status)
}
