import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { createApp } from '#producer/app.ts'
import type { App } from '#producer/context.ts'
import { registerToken } from '#shared/data-dir.ts'
import { createLog } from '#shared/log.ts'
import { connectRedis, waitForRedis } from '#shared/redis/connect.ts'
import { createSecrets } from '#shared/secrets.ts'
import { openStores, type Stores } from '#shared/stores.ts'

/** What an answer is to a test. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

interface Request {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT'

export type Ask = (method: Method, url: string, request?: Request) => Promise<Answer>

/** Asks an app that does not listen, as whoever has the token. Bodies are sent as JSON, texts as they are. */
export const asking =
  (app: App, token?: string): Ask =>
  async (method, url, { body, headers = {} } = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const { statusCode: status, headers: received, body: text } = answer
    return { status, headers: received, text, json: parsed(text) }
  }

const object = z.record(z.string(), z.unknown())

function parsed(text: string): Record<string, unknown> {
  try {
    return object.parse(JSON.parse(text))
  } catch {
    return {}
  }
}

export interface Api extends AsyncDisposable {
  readonly app: App
  readonly stores: Stores
  readonly token: string
  readonly prefix: string
  /** A source root. */
  readonly folder: string
  readonly ask: Ask
  /** Without a token. */
  readonly askUnknown: Ask
  /** Makes a source and answers its URL. */
  readonly file: (name: string, content?: string | Uint8Array) => Promise<string>
  /** Everything that was logged. */
  readonly logged: () => string
}

interface Options {
  readonly host?: string
  readonly removeWithinMs?: number
  readonly allowUnsafeRedis?: boolean
}

/** The HTTP app on a real Redis, with keys, folder and token of its own. Nobody works on its uploads. */
export async function openApi(redisUrl: string, options: Options = {}): Promise<Api> {
  await using resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-api-'))
  resources.defer(async () => rm(folder, { recursive: true }))
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLog({ level: 'debug', role: 'test', destination })
  const redis = connectRedis(redisUrl, { role: 'api', name: 'test' })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, 10_000)
  const [prefix, token] = [`{${randomUUID()}}`, randomBytes(24).toString('hex')]
  await registerToken(redis, { prefix, token, dataDir: join(folder, '.data') })

  const config = configOf(folder, prefix, options)
  const secrets = createSecrets(randomBytes(32))
  const stores = openStores({ redis, config, secrets })
  for (const queue of [stores.queues.uploads, stores.queues.parts]) queue.on('error', () => {})
  const app = await createApp({ stores, config, secrets, log, removeWithinMs: options.removeWithinMs ?? 300 })
  resources.defer(async () => app.close())
  const owned = resources.move()
  return {
    app,
    stores,
    token,
    prefix,
    folder,
    ask: asking(app, token),
    askUnknown: asking(app),
    file: async (name, content = name) => {
      await writeFile(join(folder, name), content)
      return pathToFileURL(join(folder, name)).href
    },
    logged: () => lines.join('\n'),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

const configOf = (folder: string, prefix: string, { host, allowUnsafeRedis }: Options) => ({
  host: host ?? '127.0.0.1',
  prefix,
  sourceRoots: [folder],
  allowUnsafeRedis: allowUnsafeRedis ?? true,
  deadlineMs: 60_000,
  lockMs: 2000,
  loginBudgetMs: 60_000,
  retainVersions: 10,
  retainEvents: 100,
  retainJobsMs: 60_000,
  retainUploadsMs: 60_000,
})

type Fields = Readonly<Record<string, unknown>>

/** A VRChat account that may be added. */
export const accountBody = (fields: Fields = {}): Fields => ({
  provider: 'vrchat',
  id: 'main',
  contact: 'ops@stevedore.test',
  acknowledged: true,
  ...fields,
})

/** An upload that may be accepted once the account `main` is there. */
export const uploadBody = (source: string, fields: Fields = {}): Fields => ({
  provider: 'vrchat',
  account: 'main',
  source,
  destination: { name: 'A world' },
  ...fields,
})

/** The paths of the fields that an answer complains about. */
export const pathsOf = ({ json }: Answer): string[] =>
  z
    .object({ errors: z.array(z.object({ path: z.string() })) })
    .parse(json)
    .errors.map(({ path }) => path)

/** The items of a list. */
export const itemsOf = ({ json }: Answer): Record<string, unknown>[] => z.array(object).parse(json['items'])

export const textOf = (value: unknown): string => z.string().parse(value)
