import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { z } from 'zod'
import { inParallel } from '../parallel.ts'
import type { BareClient } from './client.ts'
import type { CloudrevePlan } from './plan.ts'
import { createPieces } from './pieces.ts'
import type { Piece } from './pieces.ts'
import { OCTETS, openSite } from './site.ts'
import type { Site } from './site.ts'

const session = z.object({
  session_id: z.string(),
  chunk_size: z.number(),
  upload_urls: z.array(z.string()).default([]),
  completeURL: z.string().default(''),
  callback_secret: z.string(),
})

type Session = z.infer<typeof session>

const ABSENT = 40_016
const UNFINISHED = 'sys:upload_session_id'

const fileInfo = z.object({ size: z.number(), metadata: z.record(z.string(), z.string()).nullish() })

/** Logs in, and uploads as the service does: looks, opens a session, sends its chunks, completes it, looks again. */
export async function openBareDrive(plan: CloudrevePlan): Promise<BareClient> {
  const dispatcher = new Agent()
  const site = await openSite(plan, dispatcher)
  const pieceOf = createPieces(plan)
  const { ask } = site

  const look = async (uri: string, size: number): Promise<boolean> => {
    const query = new URLSearchParams({ uri, extended: 'true' })
    const found = await ask(fileInfo, {
      method: 'GET',
      path: `/file/info?${query.toString()}`,
      besides: ABSENT,
    })
    return found?.size === size && found.metadata?.[UNFINISHED] === undefined
  }

  return {
    upload: async (path) => {
      const { size, mtimeMs } = await stat(path)
      const uri = `${plan.folder}${encodeURIComponent(basename(path))}`
      if (await look(uri, size)) throw new Error(`${uri} is there already`)
      const wanted = { uri, size, last_modified: Math.floor(mtimeMs), encryption_supported: ['aes-256-ctr'] }
      const opened = await ask(session, { method: 'PUT', path: '/file/upload', json: wanted })
      if (opened === undefined) throw new Error('PUT /file/upload answered nothing')
      const chunkSize = opened.chunk_size === 0 ? size : opened.chunk_size
      const indexes = Array.from({ length: Math.max(1, Math.ceil(size / chunkSize)) }, (_, index) => index)
      const etags = await inParallel(indexes, plan.partsAtOnce, async (index) => {
        const offset = index * chunkSize
        const piece = await pieceOf(path, { offset, length: Math.min(chunkSize, size - offset), of: size })
        return opened.upload_urls.length === 0
          ? sendToSite(site, opened, index, piece)
          : sendToStore(dispatcher, opened, index, piece)
      })
      if (opened.completeURL !== '') await complete({ site, dispatcher }, opened, etags)
      while (!(await look(uri, size))) await sleep(10)
    },
    [Symbol.asyncDispose]: async () => dispatcher.close(),
  }
}

async function sendToSite(
  site: Site,
  { session_id: id }: Session,
  index: number,
  piece: Piece,
): Promise<string> {
  await site.ask(z.unknown(), { method: 'POST', path: `/file/upload/${id}/${index}`, piece })
  return ''
}

/** A part by its signed URL; its ETag has to be the MD5 of what was sent. */
async function sendToStore(
  dispatcher: Agent,
  { upload_urls: urls }: Session,
  index: number,
  { body, length, md5 }: Piece,
): Promise<string> {
  const headers = { ...OCTETS, 'content-length': String(length) }
  const answer = await request(urls[index] ?? '', { dispatcher, method: 'PUT', headers, body })
  await answer.body.dump()
  const etag = String(answer.headers['etag'])
  if (answer.statusCode !== 200) throw new Error(`PUT part ${index + 1} → ${answer.statusCode}`)
  const sent = md5()
  if (sent !== undefined && etag !== `"${sent}"`) throw new Error(`PUT part ${index + 1} → another MD5`)
  return etag
}

/** The store first, then the site is told. */
async function complete(
  { site, dispatcher }: { readonly site: Site; readonly dispatcher: Agent },
  { completeURL, session_id: id, callback_secret: secret }: Session,
  etags: readonly string[],
): Promise<void> {
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  )
  const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  const answer = await request(completeURL, { dispatcher, method: 'POST', headers: OCTETS, body })
  const text = await answer.body.text()
  if (answer.statusCode !== 200 || text.includes('<Error>')) throw new Error(`POST complete → ${text}`)
  await site.ask(z.unknown(), { method: 'GET', path: `/callback/s3/${id}/${secret}`, anonymous: true })
}
