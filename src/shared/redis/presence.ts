import { Redis } from 'ioredis'

import type { Credentials } from './server-files.ts'

/** What our connections are called in CLIENT LIST, so that it shows whether somebody still needs the server. */
export const clientNamePrefix = 'stevedore-'

export interface Presence {
  readonly close: () => void
}

/**
 * One connection that shows in CLIENT LIST that this process needs the server, from before the folder's lock
 * is released. `onLost` is called at each loss of it and each vain try to come back.
 */
export async function openPresence({ port, password }: Credentials, onLost: () => void): Promise<Presence> {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    password,
    connectionName: `${clientNamePrefix}presence`,
    lazyConnect: true,
    retryStrategy: (times) => Math.min(times * 100, 1_000),
  })
  // Each error is followed by `close`, which says all that matters here.
  redis.on('error', () => {})
  redis.on('close', onLost)
  await redis.connect()
  return {
    close: () => {
      redis.off('close', onLost)
      redis.disconnect()
    },
  }
}

/** Whether any process of ours is connected to the server. */
export async function isNeeded({ port, password }: Credentials): Promise<boolean> {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    password,
    retryStrategy: () => null,
    commandTimeout: 5_000,
  })
  redis.on('error', () => {})
  try {
    const clients = String(await redis.client('LIST'))
    return clients.includes(` name=${clientNamePrefix}`)
  } finally {
    redis.disconnect()
  }
}
