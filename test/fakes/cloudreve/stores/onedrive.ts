import { Refusal, type Reply, json } from '../../http/replies.ts'
import { assemble } from './assemble.ts'
import type { RequestHead, StoreHost, StoreTarget } from './host.ts'
import { OCTETS, attended, checkLength, checkType, receive, refused } from './intake.ts'
import {
  type Range,
  type RangeCall,
  checkPlace,
  checkedRange,
  graphError,
  parseRange,
} from './onedrive-ranges.ts'
import { type Shelf, type Upload, createShelf } from './shelf.ts'
import type { Store } from './store.ts'

export interface OnedriveOptions {
  /** Each range but the last is a multiple of so many bytes. */
  readonly rangeUnit?: number
}

const PATH = '/up/'

/**
 * Upload sessions of Microsoft Graph: one range after the other to an address that is the only key there is.
 * https://learn.microsoft.com/en-us/graph/api/driveitem-createuploadsession
 */
export async function createOnedriveStore(
  host: StoreHost,
  { rangeUnit = 320 * 1024 }: OnedriveOptions = {},
): Promise<Store> {
  const shelf = await createShelf(host, 'onedrive')
  const progress = new WeakMap<Upload, Progress>()
  const server = await host.serve({
    targetOf: (head) => targetOf(shelf, head),
    process: attended(host, (exchange) => answer({ host, shelf, progress, rangeUnit, exchange })),
    faultReply: (status) => graphError(status, faultCodes[status] ?? 'generalException', 'Please try again.'),
  })
  return assemble({
    kind: 'onedrive',
    server,
    shelf,
    open: async (opening) => {
      if (opening.size === 0) throw new Error('an empty file can not go through an upload session')
      const upload = shelf.begin(opening)
      progress.set(upload, { next: 0, busy: undefined })
      return { upload_id: '', upload_urls: [server.origin + PATH + upload.id] }
    },
  })
}

const faultCodes: Record<number, string> = {
  404: 'itemNotFound',
  429: 'activityLimitReached',
  503: 'serviceNotAvailable',
}

interface Progress {
  /** The first byte that is missing. */
  next: number
  /** Settles when the range under way has ended. */
  busy: Promise<void> | undefined
}

interface Found {
  readonly upload: Upload
  readonly state: Progress
}

function targetOf(shelf: Shelf, { method, url, headers }: RequestHead): StoreTarget {
  const id = url.pathname.slice(PATH.length)
  const sessionId = shelf.sessionOf(id)
  if (method === 'GET') return { operation: 'onedrive.status', sessionId }
  if (method !== 'PUT') return { operation: 'onedrive.unknown', sessionId }
  const start = parseRange(headers['content-range'])?.start ?? 0
  const chunkSize = shelf.find(id)?.opening.chunkSize ?? 0
  const chunkIndex = chunkSize === 0 ? 0 : Math.floor(start / chunkSize)
  return { operation: 'onedrive.putRange', sessionId, chunkIndex }
}

interface Call extends RangeCall {
  readonly shelf: Shelf
  readonly progress: WeakMap<Upload, Progress>
}

async function answer(call: Call): Promise<Reply> {
  const { host, exchange } = call
  const { operation } = exchange.entry
  if (exchange.request.headers.authorization !== undefined) {
    const reply = graphError(401, 'unauthenticated', 'The upload URL is pre-authenticated.')
    throw refused(host, exchange, 'an authorization header was sent', reply)
  }
  if (operation === 'onedrive.status') return json(statusOf(findUpload(call)))
  if (operation === 'onedrive.putRange') return putRange(call)
  throw refused(host, exchange, 'no such method', graphError(405, 'invalidRequest', 'Method not allowed'))
}

function findUpload({ host, shelf, progress, exchange }: Call): Found {
  const upload = shelf.find(exchange.url.pathname.slice(PATH.length))
  const state = upload && progress.get(upload)
  const over = exchange.fault?.kind === 'expired' || (upload && host.now() > upload.opening.expires)
  if (upload === undefined || state === undefined || over === true) {
    throw new Refusal(graphError(404, 'itemNotFound', 'The upload session was not found'))
  }
  return { upload, state }
}

function statusOf({ upload, state }: Found): object {
  return {
    expirationDateTime: new Date(upload.opening.expires).toISOString(),
    nextExpectedRanges: [`${state.next}-`],
  }
}

async function putRange(call: Call): Promise<Reply> {
  const { host, exchange } = call
  const missing = graphError(411, 'lengthRequired', 'The Content-Length header is missing.')
  const length = checkLength(host, exchange, { chunked: missing, missing })
  checkType(host, exchange, OCTETS, graphError(415, 'invalidRequest', 'Unsupported media type'))
  const found = findUpload(call)
  const range = checkedRange(call, found.upload.opening, length)
  checkPlace(call, found.state.next, range)
  // The same range again, the first of them still coming in: which it will be depends on how that ends.
  while (found.state.busy !== undefined) {
    await found.state.busy
    checkPlace(call, found.state.next, range)
  }
  return takeRange(call, found, range)
}

async function takeRange(
  { shelf, exchange }: Call,
  { upload, state }: Found,
  { end, total }: Range,
): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<void>()
  state.busy = promise
  try {
    const part = await receive(shelf, exchange)
    if (!(await shelf.keep(upload, upload.parts.size, part))) {
      throw new Refusal(graphError(404, 'itemNotFound', 'The upload session was not found'))
    }
    state.next = end + 1
  } finally {
    state.busy = undefined
    resolve()
  }
  if (state.next < total) return json(statusOf({ upload, state }), 202)
  const { key } = upload.opening
  await shelf.complete(upload, [...upload.parts.keys()])
  return json({ id: upload.id, name: key.split('/').at(-1), size: await shelf.stat(key), file: {} }, 201)
}
