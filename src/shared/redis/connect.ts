import { setTimeout as sleep } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'

import { clientNamePrefix } from './presence.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { waitForWrites } from './wait-for-writes.ts'

export interface ConnectOptions {
  /** A worker waits for a Redis that is away, or full; the API fails fast, so that it can answer 503. */
  readonly role: 'worker' | 'api'
  readonly name: string
  readonly log?: (message: string) => void
}

/**
 * Connects in the background, and again after each loss for as long as it takes, until closed. A command of a
 * worker is kept until Redis takes it, whether it can not be reached or refuses writes for now.
 */
export function connectRedis(url: string, { role, name, log = () => {} }: ConnectOptions): Redis {
  const redis = new Redis(url, {
    ...roleOptions[role],
    connectionName: `${clientNamePrefix}${name}`,
    connectTimeout: 5_000,
    reconnectOnError: reconnectFromReplica(),
  })
  reportErrors(redis, log)
  if (role === 'worker') waitForWrites(redis, reportRefusals(redis, log))
  return redis
}

const reconnectEveryMs = 1_000

/** After a failover the old primary refuses writes: connecting again finds the new one. */
function reconnectFromReplica(): (error: Error) => boolean {
  let reconnectedAt = Number.NEGATIVE_INFINITY
  return (error) => {
    if (refusalOf(error)?.code !== 'READONLY') return false
    // Once for all the commands that are refused at the same time.
    if (performance.now() - reconnectedAt < reconnectEveryMs) return false
    reconnectedAt = performance.now()
    return true
  }
}

const roleOptions = {
  worker: {
    // BullMQ's workers insist on it: a command waits for Redis however long that is away.
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(times * 100, 2_000),
    // Longer than BullMQ's blocking reads (10 s); notices a network that swallows everything.
    socketTimeout: 30_000,
  },
  api: {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 5_000,
    socketTimeout: 10_000,
    retryStrategy: (times: number) => Math.min(times * 50, 1_000),
  },
} satisfies Record<ConnectOptions['role'], RedisOptions>

const reportEveryMs = 10_000

// Messages only: ioredis hangs the command with its arguments on its errors, and for AUTH that is the password.
function reportErrors(redis: Redis, log: (message: string) => void): void {
  let reportedAt = Number.NEGATIVE_INFINITY
  let lost = false
  redis.on('error', (error: Error) => {
    lost = true
    if (Date.now() - reportedAt < reportEveryMs) return
    reportedAt = Date.now()
    log(`Redis at ${addressOf(redis)}: ${reasonOf(error)}`)
  })
  redis.on('ready', () => {
    if (lost) log(`Redis at ${addressOf(redis)} is back`)
    lost = false
    reportedAt = Number.NEGATIVE_INFINITY
  })
}

/** One line when writes begin to be refused, or for another reason than before; one when they are taken. */
function reportRefusals(redis: Redis, log: (message: string) => void): (refusal?: Refusal) => void {
  let reportedAt = Number.NEGATIVE_INFINITY
  let said: string | undefined
  return (refusal) => {
    if (refusal === undefined) {
      if (said !== undefined) log(`Redis at ${addressOf(redis)} takes writes again`)
      said = undefined
      return
    }
    if (said === refusal.code || Date.now() - reportedAt < reportEveryMs) return
    said = refusal.code
    reportedAt = Date.now()
    log(
      `Redis at ${addressOf(redis)} takes no writes: ${refusal.reason} (${refusal.code}). Work waits for it`,
    )
  }
}

function addressOf(redis: Redis): string {
  const { host, port, path } = redis.options
  return path ?? `${host}:${port}`
}

// Node leaves the message empty when a name had several addresses and all failed.
function reasonOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((each) => reasonOf(each)).join(', ')
  return error.message === '' ? error.name : error.message
}

/** Resolves when commands will be answered; throws with Redis's own reason when that takes too long. */
export async function waitForRedis(redis: Redis, timeoutMs: number): Promise<void> {
  let reason = 'no answer'
  const remember = (error: Error) => {
    reason = reasonOf(error)
  }
  redis.on('error', remember)
  try {
    for (const deadline = Date.now() + timeoutMs; redis.status !== 'ready'; await sleep(10)) {
      if (Date.now() > deadline || redis.status === 'end') {
        throw new Error(`Redis at ${addressOf(redis)} can not be used: ${reason}`)
      }
    }
  } finally {
    redis.off('error', remember)
  }
}
