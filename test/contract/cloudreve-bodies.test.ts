import type { IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { session } from '#shared/providers/cloudreve/session.ts'
import type { ReadTickets } from '#shared/providers/provider.ts'
import { close, listen, serverFor } from '../fakes/http/listening.ts'
import { never, partOf, randomBytes } from './support.ts'
import { open } from './transport-drive.ts'
import { openTransport, type Kind } from './transport-stage.ts'

interface Seen {
  readonly request: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that answers everything with this, and what it was asked. */
async function recorder(answer: string): Promise<{ origin: string; seen: Seen[] } & AsyncDisposable> {
  const seen: Seen[] = []
  const server = serverFor([], async (request, response) => {
    const { method = '', url = '', headers } = request
    seen.push({ request: `${method} ${url}`, headers, body: await text(request) })
    response.end(answer)
  })
  return { origin: await listen(server, 0), seen, [Symbol.asyncDispose]: () => close(server) }
}

const RESULT = '<CompleteMultipartUploadResult/>'
const PART = '<Part><PartNumber>1</PartNumber><ETag>&quot;e-1&quot;</ETag></Part>'
const XML = `<CompleteMultipartUpload>${PART}</CompleteMultipartUpload>`
const OCTETS = 'application/octet-stream'

const completions: readonly [Kind, mimeType: string, body: string, headers: object][] = [
  ['s3', 'image/png', XML, { 'content-type': OCTETS }],
  ['ks3', '', XML, { 'content-type': OCTETS }],
  ['cos', '', XML, { 'content-type': OCTETS, 'x-cos-forbid-overwrite': 'true' }],
  ['obs', '', XML, { 'content-type': OCTETS }],
  [
    'oss',
    '',
    '',
    {
      'content-type': OCTETS,
      'content-length': '0',
      'x-oss-forbid-overwrite': 'true',
      'x-oss-complete-all': 'yes',
    },
  ],
  ['qiniu', '', '{"parts":[{"etag":"\\"e-1\\"","partNumber":1}]}', { authorization: 'UpToken word' }],
  [
    'qiniu',
    'image/png',
    '{"mimeType":"image/png","parts":[{"etag":"\\"e-1\\"","partNumber":1}]}',
    { authorization: 'UpToken word' },
  ],
]

/** An upload of nine bytes whose tickets point at the recorder. */
async function redirected(kind: Kind, mimeType: string, origin: string) {
  const stage = await openTransport(kind)
  const sent = await open(stage, randomBytes(9, 'nine'))
  const state = { ...session.parse(sent.session.state), mimeType }
  const tickets: ReadTickets = async (names) =>
    names.map((name) => (/^(url|complete)/.test(name) ? `${origin}/there?x=1` : 'word'))
  return { stage, sent, session: { ...sent.session, state }, tickets }
}

test.each(completions)('%s, type “%s”: what completes it', async (kind, mimeType, body, headers) => {
  await using store = await recorder(RESULT)
  const { stage, sent, session, tickets } = await redirected(kind, mimeType, store.origin)
  await using _ = stage

  const finishing = { blob: sent.blob, tickets, receipts: [{ etag: '"e-1"' }] }
  // Who asks the site afterwards hears that nothing is there.
  await stage.provider.finish(stage.account, session, finishing, never).catch(() => undefined)

  expect(store.seen).toHaveLength(1)
  expect(store.seen[0]).toMatchObject({ request: 'POST /there?x=1', body, headers })
})

test.each([
  ['', ['policy', 'authorization', 'file']],
  ['image/png', ['policy', 'authorization', 'content-type', 'file']],
])('upyun, type “%s”: a form whose file is last', async (mimeType, names) => {
  await using store = await recorder('{"code":200}')
  const { stage, sent, session, tickets } = await redirected('upyun', mimeType, store.origin)
  await using _ = stage

  const { bytes } = sent.upload.source
  const sending = { blob: sent.blob, tickets, ...partOf(sent.upload.source, sent.blob, 1) }
  await stage.provider.sendPart(stage.account, session, sending, never)

  const { body = '', headers = {} } = store.seen[0] ?? {}
  const boundary = String(headers['content-type']).split('boundary=')[1] ?? 'none'
  const fields = [...body.matchAll(/; name="([^"]+)"/g)].map(([, name]) => name)
  expect(fields).toEqual(names)
  expect(body.split(`--${boundary}`)).toHaveLength(names.length + 2)
  expect(body.endsWith(`\r\n\r\n${String(bytes)}\r\n--${boundary}--\r\n`)).toBe(true)
})
