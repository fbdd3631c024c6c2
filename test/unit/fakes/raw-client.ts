import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Secret, TOTP } from 'otpauth'
import { request } from 'undici'
import { z } from 'zod'
import { onTestFinished } from 'vitest'
import { type FakeVrchat, type FakeVrchatOptions, startFakeVrchat } from '../../fakes/vrchat/server.ts'

export const AGENT = 'raw-client/1.0 tests@stevedore.invalid'
export const WORLD = 'application/x-world'
export const SIGNATURE = Buffer.from('signature bytes')
const SECRET = 'JBSWY3DPEHPK3PXP'

export interface RawAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  json: unknown
}

export interface RawClient {
  cookies: Map<string, string>
  call: (method: string, path: string, options?: CallOptions) => Promise<RawAnswer>
}

function keep(cookies: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
  if (value === '') cookies.delete(name)
  else cookies.set(name, value)
}

interface CallOptions {
  body?: unknown
  headers?: Record<string, string>
}

/** Speaks HTTP to the fake with nothing in between but a handful of cookies. */
export function rawClient(fake: FakeVrchat): RawClient {
  const cookies = new Map<string, string>()
  return {
    cookies,
    call: async (method, path, { body, headers = {} } = {}) => {
      const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
      const answer = await send(fake.baseUrl + path, {
        method,
        headers: {
          'user-agent': AGENT,
          ...(cookie === '' ? {} : { cookie }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      })
      for (const line of [answer.headers['set-cookie'] ?? []].flat()) keep(cookies, line)
      return answer
    },
  }
}

interface Sent {
  method: string
  headers?: Record<string, string> | undefined
  body?: string | Buffer | AsyncIterable<Buffer> | undefined
}

export async function send(url: string, { method, headers = {}, body }: Sent): Promise<RawAnswer> {
  const answer = await request(url, { method, headers, body: body === undefined ? null : streamed(body) })
  const text = await answer.body.text()
  return { status: answer.statusCode, headers: answer.headers, text, json: parsed(text) }
}

export function basic(username: string, password: string): { authorization: string } {
  const pair = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

export function totpCode(): string {
  return new TOTP({ secret: Secret.fromBase32(SECRET) }).generate()
}

export function md5Base64(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}

export function declared(file: Uint8Array, signature: Uint8Array): Record<string, string | number> {
  return {
    fileMd5: md5Base64(file),
    fileSizeInBytes: file.length,
    signatureMd5: md5Base64(signature),
    signatureSizeInBytes: signature.length,
  }
}

const errorSchema = z.object({ error: z.object({ message: z.string(), status_code: z.number() }) })

/** The message as it came, doubly quoted or not. */
export function messageOf({ json }: RawAnswer): string {
  return errorSchema.parse(json).error.message
}

const fileSchema = z.object({ id: z.string(), versions: z.array(z.looseObject({ status: z.string() })) })

export function fileOf({ json }: RawAnswer): z.output<typeof fileSchema> {
  return fileSchema.parse(json)
}

export function urlOf({ json }: RawAnswer): string {
  return z.object({ url: z.string() }).parse(json).url
}

function streamed(body: NonNullable<Sent['body']>): string | Buffer | Readable {
  return typeof body === 'string' || Buffer.isBuffer(body) ? body : Readable.from(body)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export async function setup(
  options: FakeVrchatOptions = {},
): Promise<{ fake: FakeVrchat; client: RawClient }> {
  const secondFactor = { kind: 'totp', secret: SECRET } as const
  const alice = { username: 'alice', password: 'pa:ss %ü', secondFactor, recoveryCodes: ['abcd-1234'] }
  const fake = await startFakeVrchat({ processingMs: 10, users: [alice], ...options })
  onTestFinished(() => fake[Symbol.asyncDispose]())
  return { fake, client: rawClient(fake) }
}

export async function signedIn(
  options: FakeVrchatOptions = {},
): Promise<{ fake: FakeVrchat; client: RawClient }> {
  const { fake, client } = await setup(options)
  await client.call('GET', '/auth/user', { headers: basic('alice', 'pa:ss %ü') })
  await client.call('POST', '/auth/twofactorauth/totp/verify', { body: { code: totpCode() } })
  await client.call('GET', '/auth/user')
  return { fake, client }
}

export async function newVersion(
  client: RawClient,
  bytes: Buffer,
): Promise<{ id: string; answer: RawAnswer }> {
  const body = { name: 'A.B', mimeType: WORLD, extension: 'vrcw' }
  const { id } = fileOf(await client.call('POST', '/file', { body }))
  return { id, answer: await client.call('POST', `/file/${id}`, { body: declared(bytes, SIGNATURE) }) }
}

export async function putSimple(
  client: RawClient,
  path: string,
  body: Buffer,
  type = WORLD,
): Promise<RawAnswer> {
  const url = urlOf(await client.call('PUT', `${path}/start`))
  const headers = { 'content-type': type, 'content-md5': md5Base64(body) }
  return send(url, { method: 'PUT', headers, body })
}

export async function putPart(client: RawClient, id: string, part: number, text: string): Promise<RawAnswer> {
  const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start?partNumber=${part}`))
  return send(url, { method: 'PUT', body: Buffer.from(text) })
}

export async function settled(client: RawClient, id: string): Promise<RawAnswer> {
  for (;;) {
    const answer = await client.call('GET', `/file/${id}`)
    if (!['waiting', 'queued'].includes(fileOf(answer).versions.at(-1)?.status ?? '')) return answer
    await sleep(5)
  }
}

export function statuses(answer: RawAnswer): unknown[] {
  const newest: Record<string, unknown> = fileOf(answer).versions.at(-1) ?? {}
  return [newest, newest['file'], newest['signature']].map((data) => Object(data).status)
}

export function versions(answer: RawAnswer): unknown[] {
  return fileOf(answer).versions.map((version) => version['version'])
}

export function cookieOf(client: RawClient): string {
  return [...client.cookies].map((pair) => pair.join('=')).join('; ')
}

export function md5Hex(bytes: string | Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
