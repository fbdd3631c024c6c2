import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { at, createApi } from '#producer/cli/api/client.ts'
import type { FakeFacts } from '../test/support/programs/fake.ts'
import type { DemoFile } from './files.ts'
import type { Place } from './places.ts'
import type { Stage } from './stage.ts'

type ProviderName = Place['provider']

interface Account {
  readonly id: string
  readonly title: string
  readonly provider: ProviderName
  /** Which the demo sets for itself: nobody else is at the other end. */
  readonly limits: Readonly<Record<string, number>>
}

/** One at each provider. */
export const accounts: readonly Account[] = [
  {
    id: 'demo',
    title: 'VRChat',
    provider: 'vrchat',
    limits: { maxActiveUploads: 8, partsAtOnce: 4, callsAtOnce: 4, callSpacingMs: 0 },
  },
  {
    id: 'drive',
    title: 'Cloudreve',
    provider: 'cloudreve',
    limits: { maxActiveUploads: 4, partsAtOnce: 3, callsAtOnce: 4, callSpacingMs: 0 },
  },
]

const time = z.iso.datetime().transform((text) => Date.parse(text))

const upload = z.looseObject({
  id: z.string(),
  provider: z.enum(['vrchat', 'cloudreve']),
  fileName: z.string(),
  state: z.string(),
  size: z.number(),
  bytesSent: z.number(),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  version: z
    .looseObject({ remoteId: z.string(), number: z.union([z.number(), z.string()]), size: z.number() })
    .nullable(),
  error: z.looseObject({ class: z.string(), message: z.string() }).nullable(),
})

export type Upload = z.infer<typeof upload>

const ENDED = ['completed', 'skipped', 'failed', 'cancelled']
export const isEnded = ({ state }: Upload): boolean => ENDED.includes(state)

const part = z.looseObject({ blob: z.string(), number: z.number() })
const listOf = <Item extends z.ZodType>(item: Item) => z.looseObject({ items: z.array(item) })

/** How many parts went up, of the file and of its signature, where there is one. */
export interface PartCounts {
  readonly file: number
  readonly signature: number
}

/** The service's public HTTP API, as far as the demo needs it. */
export interface Service extends AsyncDisposable {
  readonly addAccounts: () => Promise<void>
  /** The lower the number, the sooner it is the file's turn. */
  readonly upload: (
    file: DemoFile,
    options: { readonly partSize: number; readonly priority: number },
  ) => Promise<Upload>
  readonly uploads: () => Promise<readonly Upload[]>
  readonly parts: (id: string) => Promise<PartCounts>
}

export function openService({ url, token, fake, signal }: Stage): Service {
  const api = createApi(() => ({ url, token, tokenFrom: 'the demo' }), signal)
  return {
    addAccounts: async () => {
      for (const { id, provider, limits } of accounts) {
        const body = { id, provider, limits, ...loginOf(fake)[provider] }
        await api.ask({ method: 'POST', path: '/v1/accounts', body }, z.unknown())
      }
    },
    upload: async (file, { partSize, priority }) => {
      const account = accounts.find(({ provider }) => provider === file.to.provider)?.id
      const body = { account, source: pathToFileURL(file.path).href, priority, ...requestOf(file, partSize) }
      // Asked twice with the same key, it would still be one upload.
      const idempotencyKey = `demo ${encodeURIComponent(file.name)}`
      return api.ask({ method: 'POST', path: '/v1/uploads', body, idempotencyKey }, upload)
    },
    uploads: async () => {
      const query = { limit: 100 }
      return (await api.ask({ path: '/v1/uploads', query }, listOf(upload))).items
    },
    parts: async (id) => {
      const { items } = await api.ask({ path: at`/v1/uploads/${id}/parts` }, listOf(part))
      const ofBlob = (name: string): number => items.filter(({ blob }) => blob === name).length
      return { file: ofBlob('file'), signature: ofBlob('signature') }
    },
    [Symbol.asyncDispose]: async () => api[Symbol.asyncDispose](),
  }
}

const loginOf = ({ baseUrl, user, cloudreve }: FakeFacts): Record<ProviderName, object> => ({
  vrchat: {
    baseUrl,
    contact: 'demo@stevedore.test',
    username: user.username,
    password: user.password,
    totpSecret: user.secondFactor.secret,
    acknowledged: true,
  },
  cloudreve: { baseUrl: cloudreve.baseUrl, ...cloudreve.user },
})

/** Where it goes; how it is cut is for us to say at VRChat, and for the site at Cloudreve. */
const requestOf = ({ name, to: { provider, folder } }: DemoFile, partSize: number): object =>
  provider === 'vrchat'
    ? { provider, destination: { name }, partSize }
    : { provider, destination: { uri: folder } }
