import { onTestFinished } from 'vitest'
import { z } from 'zod'
import {
  type FakeCloudreve,
  type FakeCloudreveOptions,
  startFakeCloudreve,
} from '../../fakes/cloudreve/server.ts'
import type { OpenStores } from '../../fakes/cloudreve/stores/host.ts'
import type { StoreKind } from '../../fakes/cloudreve/stores/store.ts'
import { send } from './raw-client.ts'

export const SECRET = 'JBSWY3DPEHPK3PXP'
export const OCTETS = { 'content-type': 'application/octet-stream' }

const envelope = z.looseObject({ code: z.number(), data: z.unknown().optional(), msg: z.string() })

export interface Answer {
  /** Of HTTP. */
  status: number
  /** Of the envelope; -999 where there is none. */
  code: number
  data: unknown
  /** The whole body as it came. */
  text: string
}

export interface Sending {
  /** Sent as JSON. */
  json?: unknown
  body?: Buffer | AsyncIterable<Buffer>
  headers?: Record<string, string>
}

export interface Client {
  call: (method: string, path: string, sending?: Sending) => Promise<Answer>
}

/** Speaks to the API with nothing in between but a token, where there is one. */
export function clientOf({ baseUrl }: FakeCloudreve, token?: string): Client {
  return {
    call: async (method, path, { json, body, headers = {} } = {}) => {
      const answer = await send(`${baseUrl}/api/v4${path}`, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: json === undefined ? body : JSON.stringify(json),
      })
      const parsed = envelope.safeParse(answer.json)
      return {
        status: answer.status,
        code: parsed.data?.code ?? -999,
        data: parsed.data?.data,
        text: answer.text,
      }
    },
  }
}

const alice = { email: 'alice@example.org', password: 'pass-word' }
const bob = { email: 'bob@example.org', password: 'other-word' }

export async function setup(options: FakeCloudreveOptions = {}): Promise<FakeCloudreve> {
  const fake = await startFakeCloudreve({ users: [alice, bob], ...options })
  onTestFinished(() => fake[Symbol.asyncDispose]())
  return fake
}

const signedInSchema = z.object({
  token: z.object({ access_token: z.string(), refresh_token: z.string(), access_expires: z.iso.datetime() }),
})

export type Token = z.output<typeof signedInSchema>['token']

export async function logIn(fake: FakeCloudreve, who = alice): Promise<Token> {
  const { data } = await clientOf(fake).call('POST', '/session/token', { json: who })
  return signedInSchema.parse(data).token
}

export const tokenOf = ({ data }: Answer): Token => signedInSchema.parse(data).token

/** Alice, logged in. */
export async function signedIn(
  options: FakeCloudreveOptions = {},
): Promise<{ fake: FakeCloudreve; client: Client }> {
  const fake = await setup(options)
  return { fake, client: clientOf(fake, (await logIn(fake)).access_token) }
}

export async function asBob(fake: FakeCloudreve): Promise<Client> {
  return clientOf(fake, (await logIn(fake, bob)).access_token)
}

const createdSchema = z.looseObject({
  session_id: z.string(),
  upload_id: z.string(),
  chunk_size: z.number(),
  expires: z.number(),
  uri: z.string(),
  callback_secret: z.string(),
  storage_policy: z.looseObject({ id: z.string(), type: z.string() }),
})

export type Created = z.output<typeof createdSchema>

export const FILE = 'cloudreve://my/dir/a.bin'

export const create = (client: Client, fields: Record<string, unknown> = {}): Promise<Answer> =>
  client.call('PUT', '/file/upload', { json: { uri: FILE, size: 10, policy_id: 'local0', ...fields } })

export async function created(client: Client, fields: Record<string, unknown> = {}): Promise<Created> {
  return createdSchema.parse((await create(client, fields)).data)
}

export const chunk = (client: Client, id: string, index: number, body: string | Buffer): Promise<Answer> =>
  client.call('POST', `/file/upload/${id}/${index}`, { body: Buffer.from(body), headers: OCTETS })

const infoSchema = z.looseObject({
  size: z.number(),
  primary_entity: z.string(),
  metadata: z.record(z.string(), z.string()).nullable(),
  updated_at: z.iso.datetime(),
})

export const info = (client: Client, uri = FILE): Promise<Answer> =>
  client.call('GET', `/file/info?${new URLSearchParams({ uri, extended: 'true' }).toString()}`)

export async function infoOf(client: Client, uri = FILE): Promise<z.output<typeof infoSchema>> {
  return infoSchema.parse((await info(client, uri)).data)
}

export const drop = (client: Client, id: string, uri = FILE): Promise<Answer> =>
  client.call('DELETE', '/file/upload', { json: { id, uri } })

export const put = (
  client: Client,
  body: string | Buffer,
  query: Record<string, string> = {},
): Promise<Answer> =>
  client.call('PUT', `/file/content?${new URLSearchParams({ uri: FILE, ...query }).toString()}`, {
    body: Buffer.from(body),
  })

/** A body whose length is not known before. */
export async function* piecewise(...pieces: string[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece)
}

/** A store that takes whole objects with PUT: enough to show what the site does with any store. */
export const plainStore =
  (kind: StoreKind, objects = new Map<string, Buffer>()): OpenStores =>
  async (host) => {
    const keys = new Map<string, string>()
    const server = await host.serve({
      targetOf: ({ url }) => ({ operation: `${kind}.put`, sessionId: url.pathname.slice(1), chunkIndex: 0 }),
      process: async ({ request, url, entry }) => {
        const chunks: Buffer[] = []
        for await (const part of request) chunks.push(Buffer.from(part))
        const bytes = Buffer.concat(chunks)
        entry.bytes = bytes.length
        objects.set(keys.get(url.pathname.slice(1)) ?? '', bytes)
        return { status: 200 }
      },
      faultReply: (status) => ({ status }),
    })
    return [
      {
        kind,
        origin: server.origin,
        open: async ({ sessionId, key }) => {
          keys.set(sessionId, key)
          return { upload_id: 'multipart', upload_urls: [`${server.origin}/${sessionId}`] }
        },
        abort: async (sessionId) => {
          keys.delete(sessionId)
        },
        stat: async (key) => objects.get(key)?.length,
        read: async (key) => objects.get(key) ?? Buffer.alloc(0),
        remove: async (key) => {
          objects.delete(key)
        },
        unfinished: () => keys.size,
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      },
    ]
  }
