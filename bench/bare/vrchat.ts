import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TOTP } from 'otpauth'
import { Agent, type Dispatcher, request } from 'undici'
import { z } from 'zod'
import { inParallel } from '../parallel.ts'
import type { Content } from './content.ts'
import type { BareClient } from './client.ts'
import { createReader } from './content.ts'
import type { VrchatPlan } from './plan.ts'

const MIME = 'application/octet-stream'
const SIGNATURE_MIME = 'application/x-rsync-signature'

const blob = z.object({ category: z.string() })
const file = z.object({
  id: z.string(),
  versions: z.array(
    z.object({
      version: z.number(),
      status: z.string(),
      file: blob.optional(),
      signature: blob.optional(),
    }),
  ),
})
const signedUrl = z.object({ url: z.string() })

type VrchatFile = z.infer<typeof file>

interface Target {
  readonly fileId: string
  readonly version: number
  readonly type: 'file' | 'signature'
  readonly isSimple: boolean
}

/** Logs in. */
export async function openBareClient(plan: VrchatPlan): Promise<BareClient> {
  const reader = createReader(plan)
  const dispatcher = new Agent()
  const ask = createAsk(plan.baseUrl, dispatcher)
  const cookie = await logIn(ask, plan)

  const api = async <Answer>(schema: z.ZodType<Answer>, method: Method, path: string, json?: unknown) => {
    const type = json === undefined ? {} : { 'content-type': 'application/json' }
    const body = json === undefined ? null : JSON.stringify(json)
    const answer = await ask(method, path, { headers: { cookie, ...type }, body })
    return schema.parse(await answer.body.json())
  }

  const sendPart = async (target: Target, content: Content, index: number): Promise<string> => {
    const query = target.isSimple ? '' : `?partNumber=${index + 1}`
    const { url } = await api(signedUrl, 'PUT', `${pathOf(target)}/start${query}`)
    const partSize = target.isSimple ? content.size : plan.partSize
    const offset = index * partSize
    const length = Math.min(partSize, content.size - offset)
    const type = target.type === 'file' ? MIME : SIGNATURE_MIME
    const declared = target.isSimple ? { 'content-type': type, 'content-md5': content.md5 } : {}
    const answer = await request(url, {
      dispatcher,
      method: 'PUT',
      headers: { ...declared, 'content-length': String(length) },
      body: await content.read(offset, length),
    })
    await answer.body.dump()
    const etag = String(answer.headers['etag']).replaceAll('"', '')
    if (answer.statusCode >= 300) throw new Error(`PUT part ${index + 1} → ${answer.statusCode}`)
    return etag
  }

  const sendBlob = async (target: Target, content: Content): Promise<void> => {
    const count = target.isSimple ? 1 : Math.ceil(content.size / plan.partSize)
    const numbers = Array.from({ length: count }, (_, index) => index)
    const etags = await inParallel(numbers, plan.partsAtOnce, async (index) =>
      sendPart(target, content, index),
    )
    await api(file, 'PUT', `${pathOf(target)}/finish`, target.isSimple ? undefined : { etags })
  }

  return {
    upload: async (path) => {
      await using contents = await reader.open(path)
      const about = { name: basename(path), mimeType: MIME, extension: '.bin' }
      const { id } = await api(file, 'POST', '/file', about)
      const made = await api(file, 'POST', `/file/${id}`, {
        fileMd5: contents.file.md5,
        fileSizeInBytes: contents.file.size,
        signatureMd5: contents.signature.md5,
        signatureSizeInBytes: contents.signature.size,
      })
      const version = newest(made)
      for (const type of ['file', 'signature'] as const) {
        const isSimple = version[type]?.category === 'simple'
        await sendBlob({ fileId: id, version: version.version, type, isSimple }, contents[type])
      }
      while (newest(await api(file, 'GET', `/file/${id}`)).status !== 'complete') await sleep(10)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([dispatcher.close(), reader[Symbol.asyncDispose]()])
    },
  }
}

type Method = 'GET' | 'POST' | 'PUT'

/** Name and password, then the code: answers the cookies of both. */
async function logIn(ask: Ask, { username, password, totpSecret }: VrchatPlan): Promise<string> {
  const basic = Buffer.from(`${username}:${password}`).toString('base64')
  const first = await ask('GET', '/auth/user', { headers: { authorization: `Basic ${basic}` } })
  await first.body.dump()
  const code = JSON.stringify({ code: new TOTP({ secret: totpSecret }).generate() })
  const headers = { cookie: cookiesOf(first), 'content-type': 'application/json' }
  const second = await ask('POST', '/auth/twofactorauth/totp/verify', { headers, body: code })
  await second.body.dump()
  return `${cookiesOf(first)}; ${cookiesOf(second)}`
}

const cookiesOf = ({ headers }: Dispatcher.ResponseData): string =>
  [headers['set-cookie'] ?? []]
    .flat()
    .map((line) => line.split(';')[0])
    .join('; ')

type Ask = ReturnType<typeof createAsk>

const createAsk =
  (baseUrl: string, dispatcher: Agent) =>
  async (
    method: Method,
    path: string,
    { headers, body = null }: { readonly headers: Record<string, string>; readonly body?: string | null },
  ): Promise<Dispatcher.ResponseData> => {
    const answer = await request(`${baseUrl}${path}`, {
      dispatcher,
      method,
      headers: { 'user-agent': 'stevedore-bench/1.0 bench@stevedore.test', ...headers },
      body,
    })
    if (answer.statusCode < 300) return answer
    throw new Error(`${method} ${path} → ${answer.statusCode} ${await answer.body.text()}`)
  }

const pathOf = ({ fileId, version, type }: Target): string => `/file/${fileId}/${version}/${type}`

function newest({ versions }: VrchatFile): VrchatFile['versions'][number] {
  const last = versions.toSorted((a, b) => a.version - b.version).at(-1)
  if (last === undefined) throw new Error('A File without a version')
  return last
}
