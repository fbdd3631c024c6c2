import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { freePort } from '#shared/redis/free-port.ts'
import { startFakeVrchat } from '../fakes/vrchat/server.ts'
import type { FakeVrchat, FakeVrchatOptions } from '../fakes/vrchat/server.ts'
import { serversOn } from './embedded.ts'
import { startCommand, startProgram } from './processes.ts'
import type { Ended, Start, Started } from './processes.ts'
import { testCacheDir } from './redis.ts'

export const KIB = 1024
export const MIB = 1024 * KIB
export const PART_SIZE = 64 * KIB

const roles = {
  standalone: { program: 'src/standalone.ts', says: 'Stevedore listens at' },
  serve: { program: 'src/producer/main.ts', says: 'listening at' },
  worker: { program: 'src/worker/main.ts', says: 'the worker runs' },
} as const

type Role = keyof typeof roles
type Env = Readonly<Record<string, string>>

/** One person's machine: a data directory, a folder of sources, a provider, and what is started there. */
export interface Site extends AsyncDisposable {
  readonly fake: FakeVrchat
  readonly dataDir: string
  readonly folder: string
  /** Where the API is, if one runs. */
  readonly url: string
  /** What every process here is started with. */
  readonly env: Env
  /** Starts a role as its npm script does; it may not have got anywhere yet. */
  readonly launch: (role: Role, env?: Env, apart?: 'apart') => Started
  /** Resolves once it says that it runs. */
  readonly start: (role?: Role, env?: Env, apart?: 'apart') => Promise<Started>
  /** By npm itself, apart. */
  readonly npmStart: () => Promise<Started>
  /** The CLI, in the folder of sources, with nobody to ask. */
  readonly cli: (argv: readonly string[], given?: Start) => Promise<Ended>
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Answer>
  /** An account `me` at the fake, that takes parts of any size. */
  readonly addAccount: (limits?: Readonly<Record<string, number>>) => Promise<void>
  readonly source: (name: string, content: number | Uint8Array) => Promise<Buffer>
  /** Accepts a file of the folder in parts of 64 KiB; answers its id. */
  readonly upload: (name: string, request?: Readonly<Record<string, unknown>>) => Promise<string>
  readonly show: (id: string) => Promise<UploadView>
  /** Waits until the upload ended, or until the check holds. */
  readonly until: (id: string, check?: (upload: UploadView) => boolean) => Promise<UploadView>
  /** Process ids of all Redis servers on the data directory. */
  readonly redisPids: () => Promise<number[]>
  /** All that any process here wrote. */
  readonly said: () => string
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly json: unknown
}

const uploadView = z.looseObject({
  id: z.string(),
  state: z.string(),
  account: z.string(),
  waitingFor: z.string().nullable(),
  bytesSent: z.number(),
  bytesResent: z.number(),
  parts: z.object({ total: z.number(), done: z.number() }),
  version: z.looseObject({ remoteId: z.string(), number: z.number() }).nullable(),
  error: z.looseObject({ class: z.string(), message: z.string() }).nullable(),
})

export type UploadView = z.infer<typeof uploadView>

export const USER = { username: 'ada', password: 'lovelace-1815' }

/** Locks as short as they may be, so that what a dead process held is soon free. */
const quick = { STEVEDORE_LOCK_MS: '1500', STEVEDORE_STALLED_MS: '500', STEVEDORE_RECONCILE_MS: '500' }

export interface SiteOptions {
  readonly fake?: FakeVrchatOptions
  readonly env?: Env
}

/** Opens a site where nothing runs yet. Disposing it ends everything that was started there. */
export async function openSite(options: SiteOptions = {}): Promise<Site> {
  await using resources = new AsyncDisposableStack()
  const parent = await realpath(await mkdtemp(join(tmpdir(), 'stevedore-site-')))
  resources.defer(async () => rm(parent, { recursive: true, force: true }))
  const [dataDir, folder] = [join(parent, 'data'), join(parent, 'sources')]
  await mkdir(folder)
  const fake = resources.use(
    await startFakeVrchat({
      users: [USER],
      multipartThreshold: PART_SIZE,
      minPartSize: 1,
      ...options.fake,
    }),
  )
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = {
    ...quick,
    STEVEDORE_DATA_DIR: dataDir,
    STEVEDORE_PORT: String(port),
    STEVEDORE_SOURCE_ROOTS: folder,
    STEVEDORE_CACHE_DIR: testCacheDir(),
    STEVEDORE_HASH_THREADS: '1',
    ...options.env,
  }
  const redisPids = async (): Promise<number[]> => serversOn(dataDir)
  const started: Started[] = []
  resources.defer(async () => endAll(started, redisPids))
  const keep = (process: Started): Started => {
    started.push(process)
    return process
  }
  const launch: Site['launch'] = (role, more, apart) =>
    keep(startProgram([roles[role].program], { env: { ...env, ...more }, apart: apart !== undefined }))
  const cliEnv = { STEVEDORE_DATA_DIR: dataDir, STEVEDORE_PORT: String(port) }
  const owned = resources.move()

  return {
    ...createClient({ url, dataDir, folder, fake }),
    fake,
    dataDir,
    folder,
    url,
    env,
    launch,
    start: async (role = 'standalone', more = {}, apart) => {
      const process = launch(role, more, apart)
      await process.untilSaid(roles[role].says)
      return process
    },
    npmStart: async () => {
      const process = keep(startCommand(['npm', 'start'], { env, apart: true }))
      await process.untilSaid(roles.standalone.says)
      return process
    },
    cli: async (argv, given) => {
      const options = { cwd: folder, ...given, env: { ...cliEnv, ...given?.env } }
      return keep(startProgram(['bin/stevedore.js', ...argv], options)).ended
    },
    redisPids,
    said: () => started.map(({ said }) => said()).join('\n'),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

async function endAll(started: readonly Started[], redisPids: () => Promise<number[]>): Promise<void> {
  for (const { signalGroup } of started) signalGroup('SIGKILL')
  await Promise.all(started.map(({ ended }) => ended))
  // After them: a living standalone starts it again.
  for (const pid of await redisPids()) process.kill(pid, 'SIGKILL')
  while ((await redisPids()).length > 0) await sleep(20)
}

type Client = Pick<Site, 'ask' | 'addAccount' | 'source' | 'upload' | 'show' | 'until'>

/** What is done over HTTP, and the files that it is done with. */
function createClient({
  url,
  dataDir,
  folder,
  fake,
}: Pick<Site, 'url' | 'dataDir' | 'folder' | 'fake'>): Client {
  const ask: Site['ask'] = async (method, path, body) => {
    const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, text, json: parsed(text) }
  }
  const expected = async (status: number, [method, path, body]: [string, string, unknown?]) => {
    const answer = await ask(method, path, body)
    if (answer.status !== status) throw new Error(`${method} ${path} → ${answer.status} ${answer.text}`)
    return answer.json
  }
  const show: Site['show'] = async (id) => uploadView.parse(await expected(200, ['GET', `/v1/uploads/${id}`]))
  return {
    ask,
    show,
    addAccount: async (limits) => {
      const given = {
        baseUrl: fake.baseUrl,
        contact: 'ops@stevedore.test',
        minPartSize: 1,
        acknowledged: true,
      }
      const account = { id: 'me', provider: 'vrchat', ...USER, ...given }
      const body = { ...account, limits: { callSpacingMs: 0, callsAtOnce: 4, partsAtOnce: 2, ...limits } }
      await expected(201, ['POST', '/v1/accounts', body])
    },
    source: async (name, content) => {
      const bytes = typeof content === 'number' ? randomBytes(content) : Buffer.from(content)
      await writeFile(join(folder, name), bytes)
      return bytes
    },
    upload: async (name, request) => {
      const source = pathToFileURL(join(folder, name)).href
      const wanted = { provider: 'vrchat', account: 'me', source, destination: { name }, partSize: PART_SIZE }
      return uploadView.parse(await expected(202, ['POST', '/v1/uploads', { ...wanted, ...request }])).id
    },
    until: async (id, check = hasEnded) => {
      for (const giveUpAt = Date.now() + 60_000; ; await sleep(50)) {
        const upload = await show(id)
        if (check(upload)) return upload
        if (Date.now() > giveUpAt) throw new Error(`Waited in vain for ${JSON.stringify(upload)}`)
      }
    },
  }
}

const hasEnded = ({ state }: UploadView): boolean =>
  ['completed', 'skipped', 'failed', 'cancelled'].includes(state)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
