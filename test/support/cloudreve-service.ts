import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inject } from 'vitest'
import { createCloudreve } from '#shared/providers/cloudreve/index.ts'
import type { CloudreveOptions } from '#shared/providers/cloudreve/index.ts'
import type { Limits } from '#shared/providers/provider.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Stores } from '#shared/stores.ts'
import { startFakeCloudreve } from '../fakes/cloudreve/server.ts'
import type {
  FakeCloudreve,
  FakeCloudreveOptions,
  LedgerEntry,
  Operation,
  PolicySpec,
} from '../fakes/cloudreve/server.ts'
import { openStores } from '../fakes/cloudreve/stores/index.ts'
import { storeKinds } from '../fakes/cloudreve/stores/store.ts'
import { openMachine } from './machine.ts'
import type { Machine, MachineOptions, TestUpload } from './machine.ts'

export const KIB = 1024
export const CHUNK = 320 * KIB

export const driveUser = { email: 'ada@stevedore.test', password: 'lovelace-1815' }

/** A folder for each kind of policy, all with chunks of 320 KiB; what is in none of them goes to the first. */
export const everyPolicy: readonly PolicySpec[] = [
  { type: 'local', chunkSize: CHUNK },
  { type: 's3', folder: '/relay', relay: true },
  ...storeKinds.map((type) => ({
    type,
    folder: `/${type}`,
    chunkSize: type === 'upyun' ? 0 : CHUNK,
    ...(type !== 'onedrive' && type !== 'upyun' && { chunkConcurrency: 3 }),
  })),
]

interface DriveOptions extends Partial<MachineOptions> {
  readonly fake?: FakeCloudreveOptions
  readonly provider?: CloudreveOptions
  readonly settings?: Readonly<Record<string, unknown>>
  readonly credentials?: Readonly<Record<string, unknown>>
  readonly limits?: Partial<Limits>
  readonly workers?: number
}

interface NewSource extends Omit<TestUpload, 'path' | 'request'> {
  readonly name: string
  /** Random bytes of this size, or these, or none: the source is there already. */
  readonly content?: number | Uint8Array
  /** A folder or file URI; `cloudreve://my/` unless given. */
  readonly to?: string
  readonly destination?: Readonly<Record<string, unknown>>
  readonly request?: Readonly<Record<string, unknown>>
}

/** A machine with workers, and a Cloudreve site with all its stores that its account `drive` belongs to. */
export interface Drive extends AsyncDisposable {
  readonly machine: Machine
  readonly stores: Stores
  readonly fake: FakeCloudreve
  readonly startWorker: () => Promise<AsyncDisposable>
  /** Accepts one upload; answers its id. */
  readonly upload: (source: NewSource) => Promise<string>
  readonly until: Machine['until']
  readonly requests: (...operations: Operation[]) => LedgerEntry[]
  /** Throws unless the upload's version holds the very bytes of its source. */
  readonly assertArrived: (record: UploadRecord) => Promise<void>
}

/** Short waits, so that what waits for them waits not long. */
const quick: CloudreveOptions = {
  timing: { retryMs: 20, settleMs: 20, confirmMs: 300 },
  http: { stallMs: 2_000 },
}

export async function openDrive(options: DriveOptions = {}): Promise<Drive> {
  await using resources = new AsyncDisposableStack()
  const site = { users: [driveUser], policies: [...everyPolicy], stores: openStores, ...options.fake }
  const fake = resources.use(await startFakeCloudreve(site))
  const { redisUrl = inject('redisUrl'), ...given } = options
  const timing = { ...quick.timing, ...options.provider?.timing }
  const provider = resources.use(createCloudreve({ ...quick, ...options.provider, timing }))
  const machine = resources.use(
    await openMachine({ ...given, redisUrl, providers: given.providers ?? [provider] }),
  )
  await machine.addAccount({
    id: 'drive',
    provider: 'cloudreve',
    settings: { baseUrl: fake.baseUrl, ...options.settings },
    credentials: options.credentials ?? driveUser,
    ...(options.limits && { limits: options.limits }),
  })
  for (let started = 0; started < (options.workers ?? 1); started += 1) {
    resources.use(await machine.startWorker())
  }
  const owned = resources.move()
  return {
    machine,
    stores: machine.stores,
    fake,
    startWorker: async () => owned.use(await machine.startWorker()),
    upload: async ({ name, content, to = 'cloudreve://my/', destination, request, ...rest }) => {
      const path = content === undefined ? `${machine.folder}/${name}` : await machine.source(name, content)
      const wanted = { destination: { uri: to, ...destination }, ...request }
      return machine.accept({ account: 'drive', provider: 'cloudreve', ...rest, path, request: wanted })
    },
    until: machine.until,
    requests: (...operations) => fake.ledger.filter(({ operation }) => operations.includes(operation)),
    assertArrived: async (record) => assertArrived(fake, machine, record),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

async function assertArrived(fake: FakeCloudreve, machine: Machine, record: UploadRecord): Promise<void> {
  const { remoteId = '', number = '' } = record.version ?? {}
  const source = await readFile(`${machine.folder}/${record.fileName}`)
  // An empty file has no entity that could be read.
  const found = (await fake.files()).find(({ uri }) => uri === remoteId)
  const arrived = found?.size === 0 ? Buffer.alloc(0) : await fake.contents(remoteId)
  const said = `${record.id} (${record.state}) at ${remoteId}, version ${number}`
  if (sha256(arrived) !== sha256(source)) throw new Error(`${said} holds other bytes than its source`)
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
