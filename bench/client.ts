import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { createApi } from '#producer/cli/api/client.ts'
import type { Api } from '#producer/cli/api/client.ts'
import type { Limits } from '#shared/providers/provider.ts'
import type { Stage } from './stage.ts'

export const ACCOUNT = 'bench'
const DRIVE = 'drive'

const upload = z.looseObject({ id: z.string() })

/** The service as its users see it, and what is waited for looked up in Redis, which costs the service nothing. */
export interface Client extends AsyncDisposable {
  readonly api: Api
  /** Adds the account, with limits so wide that they limit nothing unless given. */
  readonly addAccount: (
    limits?: Partial<Limits>,
    settings?: Readonly<Record<string, unknown>>,
  ) => Promise<void>
  /** Accepts an upload to a File named `name`; answers its id. */
  readonly upload: (
    path: string,
    name: string,
    request?: Readonly<Record<string, unknown>>,
  ) => Promise<string>
  /** Adds the account of the fake Cloudreve, with limits as wide. */
  readonly addDrive: (limits?: Partial<Limits>) => Promise<void>
  /** Accepts an upload to a folder such as `cloudreve://my/s3/`, under its own name. */
  readonly uploadTo: (folder: string, path: string) => Promise<void>
  readonly cancel: (id: string) => Promise<void>
  /** Waits until so many uploads are completed. Throws when one ended in another way. */
  readonly untilCompleted: (count: number) => Promise<void>
  readonly untilState: (id: string, states: readonly string[]) => Promise<void>
}

export const wideLimits: Limits = { maxActiveUploads: 16, partsAtOnce: 16, callsAtOnce: 16, callSpacingMs: 0 }

const LOOK_MS = 20
// Looking is work for Redis, too.
const LOOKS_BETWEEN_CHECKS = 50

export function openClient({ serve, token, fake, redis, keys, signal }: Stage): Client {
  const api = createApi(() => ({ url: serve.ready, token, tokenFrom: 'the bench' }), signal)
  const count = async (state: string): Promise<number> => redis.zcard(keys.uploadsBy({ state }))
  return {
    api,
    addAccount: async (limits = {}, settings = {}) => {
      const { baseUrl, user } = fake.ready
      const login = { username: user.username, password: user.password, totpSecret: user.secondFactor.secret }
      const about = { id: ACCOUNT, provider: 'vrchat', baseUrl, contact: 'bench@stevedore.test' }
      const body = {
        ...about,
        ...login,
        ...settings,
        acknowledged: true,
        limits: { ...wideLimits, ...limits },
      }
      await api.ask({ method: 'POST', path: '/v1/accounts', body }, z.unknown())
    },
    upload: async (path, name, request = {}) => {
      const about = { provider: 'vrchat', account: ACCOUNT, source: pathToFileURL(path).href }
      const body = { ...about, destination: { name }, ...request }
      return (await api.ask({ method: 'POST', path: '/v1/uploads', body }, upload)).id
    },
    addDrive: async (limits = {}) => {
      const { baseUrl, user } = fake.ready.cloudreve
      const about = { id: DRIVE, provider: 'cloudreve', baseUrl, ...user }
      const body = { ...about, limits: { ...wideLimits, ...limits } }
      await api.ask({ method: 'POST', path: '/v1/accounts', body }, z.unknown())
    },
    uploadTo: async (folder, path) => {
      const about = { provider: 'cloudreve', account: DRIVE, source: pathToFileURL(path).href }
      const body = { ...about, destination: { uri: folder } }
      await api.ask({ method: 'POST', path: '/v1/uploads', body }, upload)
    },
    cancel: async (id) => {
      await api.ask({ method: 'POST', path: `/v1/uploads/${id}/cancel` }, z.unknown())
    },
    untilCompleted: async (wanted) => {
      for (let look = 0; (await count('completed')) < wanted; look += 1) {
        await sleep(LOOK_MS, undefined, { signal })
        if (look % LOOKS_BETWEEN_CHECKS > 0) continue
        const others = (await count('failed')) + (await count('cancelled')) + (await count('skipped'))
        if (others > 0) throw new Error(`${others} uploads did not end as completed`)
      }
    },
    untilState: async (id, states) => {
      for (; ; await sleep(5)) {
        signal.throwIfAborted()
        const state = (await redis.hget(keys.upload(id), 'state')) ?? ''
        if (states.includes(state)) return
        if (['completed', 'failed', 'cancelled'].includes(state)) throw new Error(`The upload is ${state}`)
      }
    },
    [Symbol.asyncDispose]: async () => api[Symbol.asyncDispose](),
  }
}
