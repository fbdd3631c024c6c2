import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
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
  // Tests know what they asked for; a wrong guess fails the assertion.
  readonly json: Record<string, unknown>
}

export interface Ask {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Without a token. */
  readonly anonymous?: true
}

export interface Service extends AsyncDisposable {
  readonly app: App
  readonly stores: Stores
  readonly token: string
  readonly prefix: string
  /** A source root. */
  readonly folder: string
  readonly ask: (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT',
    url: string,
    ask?: Ask,
  ) => Promise<Answer>
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

/** The HTTP app on a real Redis, with keys, folder and token of its own. */
export async function openService(redisUrl: string, options: Options = {}): Promise<Service> {
  await using resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-producer-'))
  resources.defer(() => rm(folder, { recursive: true }))
  const lines: string[] = []
  const log = createLog({
    level: 'debug',
    role: 'test',
    destination: { write: (line) => void lines.push(line) },
  })
  const redis = connectRedis(redisUrl, { role: 'api', name: 'test' })
  resources.defer(() => redis.disconnect())
  await waitForRedis(redis, 10_000)
  const [prefix, token] = [`{${randomUUID()}}`, randomBytes(24).toString('hex')]
  await registerToken(redis, { prefix, token, dataDir: join(folder, '.data') })
  const config = {
    host: options.host ?? '127.0.0.1',
    prefix,
    sourceRoots: [folder],
    allowUnsafeRedis: options.allowUnsafeRedis ?? true,
    deadlineMs: 60_000,
    foreignWaitMs: 1000,
    lockMs: 2000,
    loginBudgetMs: 60_000,
    retainVersions: 10,
  }
  const secrets = createSecrets(randomBytes(32))
  const stores = openStores({ redis, config, secrets })
  stores.queues.uploads.on('error', () => {})
  stores.queues.parts.on('error', () => {})
  const { removeWithinMs = 500 } = options
  const app = await createApp({ stores, config, secrets, log, removeWithinMs })
  resources.defer(() => app.close())
  const owned = resources.move()

  return {
    app,
    stores,
    token,
    prefix,
    folder,
    ask: async (method, url, ask = {}) => {
      const isText = typeof ask.body === 'string' || ask.body === undefined
      const answer = await app.inject({
        method,
        url,
        headers: {
          ...(ask.anonymous !== true && { authorization: `Bearer ${token}` }),
          ...(ask.body !== undefined && { 'content-type': 'application/json' }),
          ...ask.headers,
        },
        ...(ask.body !== undefined && { payload: isText ? String(ask.body) : JSON.stringify(ask.body) }),
      })
      return {
        status: answer.statusCode,
        headers: answer.headers,
        text: answer.body,
        json: parse(answer.body),
      }
    },
    file: async (name, content = name) => {
      await writeFile(join(folder, name), content)
      return pathToFileURL(join(folder, name)).href
    },
    logged: () => lines.join('\n'),
    [Symbol.asyncDispose]: async () => {
      await owned.disposeAsync()
    },
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

/** A VRChat account that may be added. */
export const accountBody = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  provider: 'vrchat',
  id: 'main',
  username: 'someone',
  password: 'a password',
  contact: 'me@somewhere.dev',
  acknowledged: true,
  ...more,
})

/** An upload that may be accepted once the account `main` is there. */
export const uploadBody = (
  source: string,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => ({
  provider: 'vrchat',
  account: 'main',
  source,
  destination: { name: 'A world' },
  ...more,
})
