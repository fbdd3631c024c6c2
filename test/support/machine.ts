import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { pino } from 'pino'
import type { Logger } from 'pino'
import { boot } from '#shared/boot.ts'
import type { Boot } from '#shared/boot.ts'
import { loadConfig } from '#shared/config.ts'
import type { Config } from '#shared/config.ts'
import { newUploadId } from '#shared/ids.ts'
import type { Limits, Provider } from '#shared/providers/provider.ts'
import { isEnded } from '#shared/records/upload.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import { openStores } from '#shared/stores.ts'
import type { Stores } from '#shared/stores.ts'
import { startWorker } from '#worker/start.ts'

export interface MachineOptions {
  readonly redisUrl: string
  readonly env?: Readonly<Record<string, string>>
  readonly logLevel?: string
  /** Instead of one of that level. */
  readonly log?: Logger
  /** Instead of the service's own, with its own waits. */
  readonly providers?: readonly Provider[]
}

/** Everything of one service in this process: stores on a prefix of its own, sources, and workers to start. */
export interface Machine extends AsyncDisposable {
  readonly config: Config
  readonly boot: Boot
  readonly stores: Stores
  readonly folder: string
  /** Environment for processes of the same service. */
  readonly env: Readonly<Record<string, string>>
  readonly startWorker: () => Promise<AsyncDisposable>
  readonly addAccount: (account: TestAccount) => Promise<void>
  /** Writes a source file: random bytes, or those given. */
  readonly source: (name: string, content: number | Uint8Array) => Promise<string>
  readonly accept: (upload: TestUpload) => Promise<string>
  /** Waits until the upload ended, whatever way, or until the given check holds. */
  readonly until: (id: string, check?: (record: UploadRecord) => boolean) => Promise<UploadRecord>
}

export interface TestAccount {
  readonly id?: string
  readonly provider?: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly credentials?: Readonly<Record<string, unknown>>
  readonly limits?: Partial<Limits>
}

export interface TestUpload {
  readonly path: string
  readonly account?: string
  readonly provider?: string
  readonly request: Readonly<Record<string, unknown>>
  readonly verify?: 'none' | 'download'
  readonly deadlineMs?: number
}

/** Short times, so that what waits for them waits not long. */
const quick = {
  STEVEDORE_LOCK_MS: '1500',
  STEVEDORE_STALLED_MS: '500',
  STEVEDORE_RECONCILE_MS: '500',
  STEVEDORE_GRACE_MS: '5000',
  STEVEDORE_ALLOW_UNSAFE_REDIS: 'true',
}

export async function openMachine({
  redisUrl,
  env = {},
  logLevel,
  log: given,
  providers,
}: MachineOptions): Promise<Machine> {
  await using resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-test-'))
  resources.defer(async () => rm(folder, { recursive: true, force: true }))
  const environment = {
    ...quick,
    REDIS_URL: redisUrl,
    STEVEDORE_PREFIX: `{test-${randomBytes(6).toString('hex')}}`,
    STEVEDORE_DATA_DIR: join(folder, 'data'),
    STEVEDORE_SOURCE_ROOTS: folder,
    STEVEDORE_LOG_LEVEL: logLevel ?? process.env['TEST_LOG_LEVEL'] ?? 'silent',
    ...env,
  }
  const config = loadConfig(environment, 'worker')
  const log = given ?? pino({ level: config.logLevel })
  const booted = resources.use(await boot(config, { name: 'test', log }))
  const own = providers && { providers }
  const stores = resources.use(openStores({ redis: booted.redis, config, secrets: booted.secrets, ...own }))
  const owned = resources.move()

  return {
    config,
    boot: booted,
    stores,
    folder,
    env: environment,
    startWorker: async () => startWorker({ config, boot: booted, log, ...own }),
    addAccount: async (account) => addAccount(stores, account),
    source: async (name, content) => {
      const path = join(folder, name)
      await writeFile(path, typeof content === 'number' ? randomBytes(content) : content)
      return path
    },
    accept: async (upload) => accept(stores, upload),
    until: async (id, check = (record) => isEnded(record.state)) => until(stores, id, check),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

async function addAccount(stores: Stores, account: TestAccount): Promise<void> {
  const { id = 'main', provider = 'vrchat', limits = {} } = account
  const { settings, credentials, limits: defaults } = stores.providers(provider)
  await stores.accounts.create({
    id,
    provider,
    settings: settings.parse(account.settings),
    credentials: credentials.parse(account.credentials ?? {}),
    limits: { ...defaults, callSpacingMs: 0, ...limits },
  })
}

async function accept(stores: Stores, upload: TestUpload): Promise<string> {
  const { account = 'main', provider: name = 'vrchat' } = upload
  const provider = stores.providers(name)
  const request = provider.uploadRequest.parse(upload.request)
  const id = newUploadId()
  const accepted = await stores.uploads.accept({
    id,
    provider: name,
    account,
    request,
    plan: provider.plan(request, 0, (await stores.accounts.read(account))?.settings),
    source: pathToFileURL(upload.path).href,
    fileName: basename(upload.path),
    destination: provider.destination(account, request, basename(upload.path)),
    size: 0,
    priority: 50,
    verify: upload.verify ?? 'none',
    deadline: Date.now() + (upload.deadlineMs ?? 600_000),
  })
  if (accepted.kind !== 'accepted') throw new Error(`Not accepted: ${JSON.stringify(accepted)}`)
  return accepted.id
}

async function until(
  stores: Stores,
  id: string,
  check: (record: UploadRecord) => boolean,
): Promise<UploadRecord> {
  for (const giveUpAt = Date.now() + 55_000; ; await sleep(25)) {
    const record = await stores.uploads.read(id)
    if (record !== undefined && check(record)) return record
    if (Date.now() > giveUpAt) throw new Error(`Waited in vain for ${id}: ${JSON.stringify(record)}`)
  }
}
