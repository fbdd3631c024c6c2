import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { createApi } from '#producer/cli/api/client.ts'
import type { Ask } from '#producer/cli/api/client.ts'
import { collect } from '#producer/cli/api/pages.ts'
import { Refused } from '#producer/cli/api/problem.ts'
import { NotReachable } from '#producer/cli/errors.ts'
import { uploadStates } from '#shared/records/upload.ts'
import { canaryPassword, canaryTotpSecret } from '../test/support/canaries.ts'
import type { Canary } from '../test/support/canaries.ts'
import { askFake } from '../test/support/programs/fake.ts'
import { ProgramFailed } from '../test/support/programs/failure.ts'
import { LIMITS, PART_SIZE } from './plan.ts'
import type { PlannedUpload } from './plan.ts'
import type { Stage } from './stage.ts'

const upload = z.looseObject({
  id: z.string(),
  account: z.string(),
  state: z.string(),
  waitingFor: z.string().nullable(),
  bytesSent: z.number(),
  bytesResent: z.number(),
  epoch: z.number(),
  version: z.looseObject({ remoteId: z.string(), number: z.number() }).nullable(),
  error: z.looseObject({ class: z.string(), message: z.string() }).nullable(),
})

/** An upload as the API shows it. */
export type Upload = z.infer<typeof upload>

const account = z.looseObject({ id: z.string(), state: z.string(), activeUploads: z.number() })

export type Account = z.infer<typeof account>

const ENDED = ['completed', 'skipped', 'failed', 'cancelled']
export const isEnded = ({ state }: Pick<Upload, 'state'>): boolean => ENDED.includes(state)

/** The service's public HTTP API. Asks again and again while it is not there, or has no Redis. */
export interface Service extends AsyncDisposable {
  /** Adds an account of a new user at the fake; answers that user's secrets. */
  readonly addAccount: (id: string) => Promise<readonly Canary[]>
  /** Accepts a file; the same one is asked for with the same key, however often. Answers the id. */
  readonly accept: (path: string, planned: PlannedUpload, seed: number) => Promise<string>
  /** All that it lists, newest first. */
  readonly uploads: (filter?: {
    readonly state?: string
    readonly account?: string
  }) => Promise<readonly Upload[]>
  /** How many it lists for each state. */
  readonly counts: () => Promise<Readonly<Record<string, number>>>
  readonly accounts: () => Promise<readonly Account[]>
  /** Requests that had no answer, or 503, and were sent once more. */
  readonly repeated: () => number
}

// Longer than any kill takes the service away.
const ANSWERS_WITHIN_MS = 120_000
const AGAIN_MS = 100
const ALL = 100_000

export function openService(stage: Stage): Service {
  const { url, token, signal } = stage
  const api = createApi(() => ({ url, token, tokenFrom: 'the chaos' }), signal)
  let repeated = 0

  const insist = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    for (const giveUpAt = Date.now() + ANSWERS_WITHIN_MS; ; await sleep(AGAIN_MS)) {
      try {
        return await ask()
      } catch (error) {
        if (!isAway(error)) throw error
        if (Date.now() > giveUpAt) throw new ProgramFailed(`The service does not come back: ${error.message}`)
        signal.throwIfAborted()
        repeated += 1
      }
    }
  }
  const ask = async <Answer>(what: Ask, schema: z.ZodType<Answer>): Promise<Answer> =>
    insist(async () => api.ask(what, schema))
  const list = async <Item extends z.ZodType>(path: string, item: Item, query: Ask['query'] = {}) =>
    insist(async () => (await collect(api, { ask: { path, query }, item }, { limit: ALL })).items)

  return {
    addAccount: async (id) => {
      const [password, totpSecret] = [canaryPassword(), canaryTotpSecret()]
      const secondFactor = { kind: 'totp', secret: totpSecret }
      await askFake(stage, 'POST /users', z.unknown(), { username: id, password, secondFactor })
      const about = { baseUrl: stage.fake.baseUrl, contact: 'chaos@stevedore.test', minPartSize: 1 }
      const login = { username: id, password, totpSecret, acknowledged: true }
      const body = { id, provider: 'vrchat', ...about, ...login, limits: LIMITS }
      await ask({ method: 'POST', path: '/v1/accounts', body }, account)
      return [
        { name: `the password of ${id}`, value: password },
        { name: `the TOTP secret of ${id}`, value: totpSecret },
      ]
    },
    accept: async (path, { account, destination, index }, seed) => {
      const place = { destination: { name: destination }, partSize: PART_SIZE }
      const body = { provider: 'vrchat', account, source: pathToFileURL(path).href, ...place }
      const idempotencyKey = `chaos ${seed} ${index}`
      return (await ask({ method: 'POST', path: '/v1/uploads', body, idempotencyKey }, upload)).id
    },
    uploads: async (filter) => list('/v1/uploads', upload, filter),
    counts: async () => {
      const counts = await Promise.all(
        uploadStates.map(async (state) => [state, (await list('/v1/uploads', upload, { state })).length]),
      )
      return z.record(z.string(), z.number()).parse(Object.fromEntries(counts))
    },
    accounts: async () => list('/v1/accounts', account),
    repeated: () => repeated,
    [Symbol.asyncDispose]: async () => api[Symbol.asyncDispose](),
  }
}

/** Killed, being started, or without its Redis: all of that passes. */
const isAway = (error: unknown): error is Error =>
  error instanceof NotReachable || (error instanceof Refused && error.status === 503)
