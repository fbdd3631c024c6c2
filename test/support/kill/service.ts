import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inject } from 'vitest'
import type { Limits } from '#shared/providers/provider.ts'
import { startFakeVrchat } from '../../fakes/vrchat/server.ts'
import type { FakeVrchat, FakeVrchatOptions, HookEvent } from '../../fakes/vrchat/server.ts'
import { openMachine } from '../machine.ts'
import type { Machine, TestUpload } from '../machine.ts'

export const KIB = 1024
export const PART_SIZE = 64 * KIB

/** A fake VRChat, and a service of its own that has an account there. No worker runs yet. */
export interface Service extends AsyncDisposable {
  readonly fake: FakeVrchat
  readonly machine: Machine
  readonly partsAtOnce: number
  /** Accepts an upload of so many random bytes to the File called `World`. */
  readonly upload: (size: number, fileName?: string, how?: Pick<TestUpload, 'verify'>) => Promise<Sent>
}

export interface Sent {
  readonly id: string
  readonly path: string
  readonly size: number
  readonly sha256: string
  /** The one accepted before it, to the same place. */
  readonly before?: Sent
}

export interface ServiceOptions {
  readonly redisUrl?: string
  readonly env?: Readonly<Record<string, string>>
  readonly fake?: FakeVrchatOptions
  readonly limits?: Partial<Limits>
}

const user = { username: 'ada', password: 'lovelace-1815' }

export async function openService({
  redisUrl,
  env,
  fake: options,
  limits,
}: ServiceOptions = {}): Promise<Service> {
  await using resources = new AsyncDisposableStack()
  const fake = resources.use(
    await startFakeVrchat({ users: [user], multipartThreshold: PART_SIZE, minPartSize: 1, ...options }),
  )
  const machine = resources.use(
    await openMachine({
      redisUrl: redisUrl ?? inject('redisUrl'),
      env: { STEVEDORE_HASH_THREADS: '1', ...env },
    }),
  )
  const partsAtOnce = limits?.partsAtOnce ?? 2
  await machine.addAccount({
    settings: { baseUrl: fake.baseUrl, contact: 'ops@stevedore.test', minPartSize: 1 },
    credentials: user,
    limits: { ...limits, partsAtOnce },
  })
  const owned = resources.move()
  return {
    fake,
    machine,
    partsAtOnce,
    upload: async (size, fileName = 'world.vrcw', how = {}) => {
      const path = await machine.source(fileName, size)
      const sha256 = createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
      const request = { destination: { name: 'World' }, partSize: PART_SIZE }
      return { id: await machine.accept({ ...how, path, request }), path, size, sha256 }
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

/** The process that has a job of this upload in its hands, as the record says it. */
export async function pidAtWork({ machine }: Service, id: string, job: string): Promise<number | undefined> {
  const runs = await machine.stores.redis.hgetall(machine.stores.keys.runs(id))
  const instance = Object.entries(runs).find(([jobId]) => jobId.includes(job))?.[1]
  return instance === undefined ? undefined : Number(instance.split(':').at(-2))
}

/** Names each request by what it does and how often that was done before, the same in every run. */
export function createNamer(): (event: HookEvent) => string {
  const counts = new Map<string, number>()
  const names = new Map<number, string>()
  return ({ sequence, operation, fileType, partNumber }) => {
    const known = names.get(sequence)
    if (known !== undefined) return known
    const what = [operation, fileType, partNumber].filter((word) => word !== undefined).join(' ')
    const count = (counts.get(what) ?? 0) + 1
    counts.set(what, count)
    const name = `${what} #${count}`
    names.set(sequence, name)
    return name
  }
}
