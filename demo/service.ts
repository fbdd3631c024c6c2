import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { at, createApi } from '#producer/cli/api/client.ts'
import type { DemoFile } from './files.ts'
import type { Stage } from './stage.ts'

const ACCOUNT = 'demo'

/** The account's limits, which the demo sets for itself: nobody else is at the other end. */
const limits = { maxActiveUploads: 8, partsAtOnce: 4, callsAtOnce: 4, callSpacingMs: 0 }

const account = z.looseObject({ limits: z.record(z.string(), z.number()) })

const time = z.iso.datetime().transform((text) => Date.parse(text))

const upload = z.looseObject({
  id: z.string(),
  fileName: z.string(),
  state: z.string(),
  size: z.number(),
  bytesSent: z.number(),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  version: z.looseObject({ remoteId: z.string(), number: z.number(), size: z.number() }).nullable(),
  error: z.looseObject({ class: z.string(), message: z.string() }).nullable(),
})

export type Upload = z.infer<typeof upload>

const ENDED = ['completed', 'skipped', 'failed', 'cancelled']
export const isEnded = ({ state }: Upload): boolean => ENDED.includes(state)

const part = z.looseObject({ blob: z.string(), number: z.number() })
const listOf = <Item extends z.ZodType>(item: Item) => z.looseObject({ items: z.array(item) })

/** How many parts went up, of the file and of its signature. */
export interface PartCounts {
  readonly file: number
  readonly signature: number
}

/** The service's public HTTP API, as far as the demo needs it. */
export interface Service extends AsyncDisposable {
  /** Answers the limits that hold. */
  readonly addAccount: () => Promise<Readonly<Record<string, number>>>
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
    addAccount: async () => {
      const { username, password, secondFactor } = fake.user
      const login = { username, password, totpSecret: secondFactor.secret }
      const about = { id: ACCOUNT, provider: 'vrchat', baseUrl: fake.baseUrl, contact: 'demo@stevedore.test' }
      const body = { ...about, ...login, acknowledged: true, limits }
      return (await api.ask({ method: 'POST', path: '/v1/accounts', body }, account)).limits
    },
    upload: async ({ name, path }, { partSize, priority }) => {
      const source = pathToFileURL(path).href
      const body = { provider: 'vrchat', account: ACCOUNT, source, destination: { name }, partSize, priority }
      // Asked twice with the same key, it would still be one upload.
      const idempotencyKey = `demo ${encodeURIComponent(name)}`
      return api.ask({ method: 'POST', path: '/v1/uploads', body, idempotencyKey }, upload)
    },
    uploads: async () => {
      const query = { account: ACCOUNT, limit: 100 }
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
