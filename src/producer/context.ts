import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import type { Config } from '#shared/config.ts'
import type { Secrets } from '#shared/secrets.ts'
import { createFileSources } from '#shared/sources/file.ts'
import type { Stores } from '#shared/stores.ts'
import { createAccountWork } from './account-work.ts'
import { createEnqueue } from './enqueue.ts'
import { createRequests } from './requests.ts'
import { createWaitingFor } from './waiting-for.ts'

/** The HTTP app, whose routes say what they take and answer with zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

export interface AppDeps {
  readonly stores: Stores
  readonly config: Pick<Config, 'allowUnsafeRedis' | 'deadlineMs' | 'host' | 'prefix' | 'sourceRoots'>
  readonly secrets: Secrets
  readonly log: Logger
  /** How long a forced removal of an account waits for its uploads to end. */
  readonly removeWithinMs?: number
}

/** What the routes work with. Throws for source roots that are none. */
export function createContext({ removeWithinMs = 15_000, ...deps }: AppDeps) {
  const { stores, config } = deps
  const { deadlineMs } = config
  const sources = createFileSources(config.sourceRoots)
  return {
    ...stores,
    ...deps,
    removeWithinMs,
    requests: createRequests(stores.providerList),
    enqueue: createEnqueue({ ...stores, sources, deadlineMs }),
    waitingFor: createWaitingFor(stores),
    work: createAccountWork(stores),
  }
}

export type Context = ReturnType<typeof createContext>
