import { inject } from 'vitest'
import type { Limits } from '#shared/providers/provider.ts'
import type { UploadRecord } from '#shared/records/upload.ts'
import type { Stores } from '#shared/stores.ts'
import { startFakeVrchat } from '../fakes/vrchat/server.ts'
import type { FakeVrchat, FakeVrchatOptions, LedgerEntry, Operation } from '../fakes/vrchat/server.ts'
import { openMachine } from './machine.ts'
import type { Machine, MachineOptions, TestAccount, TestUpload } from './machine.ts'

export const KIB = 1024

interface ServiceOptions extends Partial<MachineOptions> {
  readonly fake?: FakeVrchatOptions
  readonly settings?: Readonly<Record<string, unknown>>
  readonly credentials?: Readonly<Record<string, unknown>>
  readonly limits?: Partial<Limits>
  readonly workers?: number
}

interface NewSource extends Omit<TestUpload, 'path' | 'request'> {
  /** Name of the source, and of the destination unless a request is given. */
  readonly name: string
  /** Random bytes of this size, or these, or none: the source is there already. */
  readonly content?: number | Uint8Array
  readonly request?: Readonly<Record<string, unknown>>
}

/** A machine, the fake that its account `main` belongs to, and its workers; all gone when disposed. */
export interface Service extends AsyncDisposable {
  readonly machine: Machine
  readonly stores: Stores
  readonly fake: FakeVrchat
  readonly startWorker: () => Promise<AsyncDisposable>
  /** Adds an account of the same fake. */
  readonly addAccount: (account: Omit<TestAccount, 'settings'> & Partial<TestAccount>) => Promise<void>
  /** Accepts one upload, in parts of 64 KiB unless its request says otherwise; answers its id. */
  readonly upload: (source: NewSource) => Promise<string>
  readonly until: Machine['until']
  readonly read: (id: string) => Promise<UploadRecord>
  readonly requests: (...operations: Operation[]) => LedgerEntry[]
}

/** Opens a service whose fake takes parts of any size, and cuts files of 64 KiB and more. */
export async function openService(options: ServiceOptions = {}): Promise<Service> {
  await using resources = new AsyncDisposableStack()
  const fake = resources.use(await startFakeVrchat({ ...roomyFake, ...options.fake }))
  const { redisUrl = inject('redisUrl'), ...given } = options
  const machine = resources.use(await openMachine({ ...given, redisUrl }))
  const addAccount: Service['addAccount'] = async (account) =>
    machine.addAccount({
      ...account,
      settings: { baseUrl: fake.baseUrl, contact: 'ops@stevedore.test', minPartSize: 1, ...account.settings },
      credentials: account.credentials ?? { username: 'ada', password: 'lovelace-1815' },
    })
  await addAccount({ ...options, limits: { callsAtOnce: 4, ...options.limits } })
  const startWorker = async (): Promise<AsyncDisposable> => resources.use(once(await machine.startWorker()))
  for (let started = 0; started < (options.workers ?? 1); started += 1) await startWorker()
  const owned = resources.move()
  return {
    machine,
    stores: machine.stores,
    fake,
    startWorker: async () => owned.use(once(await machine.startWorker())),
    addAccount,
    upload: async ({ name, content, request, ...rest }) => {
      const path = content === undefined ? `${machine.folder}/${name}` : await machine.source(name, content)
      const wanted = { destination: { name }, partSize: 64 * KIB, ...request }
      return machine.accept({ ...rest, path, request: wanted })
    },
    until: machine.until,
    read: async (id) => machine.until(id, () => true),
    requests: (...operations) => fake.ledger.filter(({ operation }) => operations.includes(operation)),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

const roomyFake: FakeVrchatOptions = {
  users: [{ username: 'ada', password: 'lovelace-1815' }],
  multipartThreshold: 64 * KIB,
  minPartSize: 1,
}

/** May be disposed early, and then again with all the rest. */
function once(resource: AsyncDisposable): AsyncDisposable {
  let disposed: Promise<void> | undefined
  return {
    [Symbol.asyncDispose]: async () => (disposed ??= Promise.resolve(resource[Symbol.asyncDispose]())),
  }
}

/** Resolves when the check answers something other than `undefined` and `false`; throws after `withinMs`. */
export async function eventually<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
  withinMs = 20_000,
): Promise<T> {
  for (const giveUpAt = Date.now() + withinMs; ;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    if (Date.now() > giveUpAt) throw new Error(`Not within ${withinMs} ms: ${check.toString()}`)
    await new Promise((resolve) => void setTimeout(resolve, 20))
  }
}

/** Attempts that failed, over all jobs that are still there. */
export async function attemptsUsed({ stores }: Pick<Service, 'stores'>): Promise<number> {
  const states = [
    'active',
    'completed',
    'delayed',
    'failed',
    'prioritized',
    'waiting',
    'waiting-children',
  ] as const
  const { uploads, parts } = stores.queues
  const jobs = [...(await uploads.getJobs([...states])), ...(await parts.getJobs([...states]))]
  return jobs.reduce(
    (sum, { attemptsMade, finishedOn }) => sum + attemptsMade - (finishedOn === undefined ? 0 : 1),
    0,
  )
}

/** A gate that requests wait at until it is opened. */
export function createGate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}
