import { type Reply, json } from '../../http/replies.ts'
import { assemble } from './assemble.ts'
import { callBack, callBackLater } from './callback.ts'
import type { RequestHead, StoreExchange, StoreHost, StoreTarget } from './host.ts'
import { attended, checkLength, refused, violation } from './intake.ts'
import { type Shelf, createShelf } from './shelf.ts'
import { hexDigest } from './signing/scheme.ts'
import { upyunAuthorization } from './signing/upyun.ts'
import type { Opening, Store } from './store.ts'
import { PATH, problem, readForm, signedPolicy, upyunKeys } from './upyun-form.ts'

/** The form API of Upyun: one form with all in it, and a notification when it pleases. http://docs.upyun.com/api/form_api/ */
export async function createUpyunStore(host: StoreHost): Promise<Store> {
  const shelf = await createShelf(host, 'upyun')
  const reports = new Set<Promise<void>>()
  const openings = new Map<string, Opening>()
  const report = (opening: Opening) => {
    const sent = callBackLater(host, host.upyunDelayMs, () => notify(host, shelf, opening))
    reports.add(sent)
    void sent.finally(() => reports.delete(sent))
  }
  const server = await host.serve({
    targetOf: (head) => targetOf(shelf, head),
    process: attended(host, (exchange) => takeForm({ host, shelf, openings, report, exchange })),
    faultReply: (status) => problem(status, 'please try again'),
  })
  const store = assemble({
    kind: 'upyun',
    server,
    shelf,
    open: async (opening) => {
      const { id } = shelf.begin(opening)
      openings.set(id, opening)
      const { policy, authorization } = signedPolicy(opening)
      // The real address is the same for all: the id is in it for the ledger, and to tell two policies apart.
      return {
        upload_id: '',
        upload_urls: [`${server.origin}${PATH}?id=${id}`],
        credential: authorization,
        upload_policy: policy,
      }
    },
  })
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(reports)
      await store[Symbol.asyncDispose]()
    },
  }
}

function targetOf(shelf: Shelf, { method, url }: RequestHead): StoreTarget {
  const sessionId = shelf.sessionOf(url.searchParams.get('id'))
  if (method !== 'POST' || url.pathname !== PATH) return { operation: 'upyun.unknown', sessionId }
  return { operation: 'upyun.post', sessionId, chunkIndex: 0 }
}

interface Call {
  readonly host: StoreHost
  readonly shelf: Shelf
  /** Of all sessions by their id: a policy is good until it expires, however often, and nobody can revoke it. */
  readonly openings: ReadonlyMap<string, Opening>
  readonly report: (opening: Opening) => void
  readonly exchange: StoreExchange
}

async function takeForm(call: Call): Promise<Reply> {
  const { host, shelf, openings, report, exchange } = call
  if (exchange.entry.operation !== 'upyun.post') {
    throw refused(host, exchange, 'there is no such address', problem(404, 'not found'))
  }
  const missing = problem(411, 'content-length required')
  checkLength(host, exchange, { chunked: missing, missing })
  const id = exchange.url.searchParams.get('id') ?? ''
  const opening = openings.get(id)
  if (opening === undefined)
    throw refused(host, exchange, 'there is no such session', problem(400, 'bad form'))
  const part = await readForm(call, opening)
  if (part.size > opening.size) {
    await shelf.disk.remove([part])
    throw refused(host, exchange, 'more than the policy allows', problem(413, 'file too large'))
  }
  if (part.size < opening.size && exchange.fault?.kind !== 'store-short') {
    violation(host, exchange, `${part.size} bytes, agreed were ${opening.size}`)
  }
  const upload = shelf.find(id) ?? shelf.begin(opening, id)
  await shelf.keep(upload, 0, part)
  await shelf.complete(upload, [0])
  report(opening)
  return json({ code: 200, message: 'ok', url: opening.key, time: Math.floor(host.now() / 1000) })
}

async function notify(host: StoreHost, shelf: Shelf, { key, mimeType, callbackUrl }: Opening): Promise<void> {
  const content = { code: '200', message: 'ok', url: key, mimetype: mimeType }
  const size = String((await shelf.stat(key)) ?? 0)
  const body = new URLSearchParams({ ...content, file_size: size }).toString()
  const date = new Date(host.now()).toUTCString()
  const contentMd5 = hexDigest('md5', body)
  const { pathname } = new URL(callbackUrl)
  const authorization = upyunAuthorization(upyunKeys, { method: 'POST', uri: pathname, date, contentMd5 })
  const type = 'application/x-www-form-urlencoded'
  const headers = { 'content-type': type, date, 'content-md5': contentMd5, authorization }
  await callBack(host, callbackUrl, { headers, body })
}
