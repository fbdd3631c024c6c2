import { Redis } from 'ioredis'

import { type ServerInfo, readInfo } from './info.ts'

export type Address = { readonly port: number } | { readonly path: string }

export type ServerState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'silent'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | AnsweringServer

export interface AnsweringServer {
  /** While it loads, it takes no commands but those that ask about itself. */
  readonly kind: 'loading' | 'ready'
  readonly pid: number
  readonly dir: string
  readonly executable: string
  readonly loadedPercent: string
}

/** Asks a server on this machine, once, who it is and whether it can be used. Never throws. */
export async function probeServer(address: Address, password: string): Promise<ServerState> {
  const redis = new Redis({
    ...('path' in address ? { path: address.path } : { host: '127.0.0.1', port: address.port }),
    password,
    lazyConnect: true,
    // Both would make ioredis wait and come back where one clear answer is wanted.
    enableReadyCheck: false,
    retryStrategy: () => null,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
  })
  const errors: Error[] = []
  redis.on('error', (error: Error) => errors.push(error))
  try {
    await redis.connect()
    const info = await readInfo(redis)
    const [, dir = ''] = await configGet(redis, 'dir')
    return stateOf(info, dir)
  } catch (error) {
    return failureOf([...errors, error])
  } finally {
    // ioredis would wait two seconds for the end of a connection that has ended.
    if (redis.status !== 'end') redis.disconnect()
  }
}

async function configGet(redis: Redis, name: string): Promise<string[]> {
  const answer = await redis.config('GET', name)
  return Array.isArray(answer) ? answer.map(String) : []
}

function stateOf(info: ServerInfo, dir: string): AnsweringServer {
  return {
    kind: info.get('loading') === '0' ? 'ready' : 'loading',
    pid: Number(info.get('process_id')),
    dir,
    executable: info.get('executable') ?? 'unknown',
    loadedPercent: info.get('loading_loaded_perc') ?? '100',
  }
}

export function isAnswering(state: ServerState): state is AnsweringServer {
  return state.kind === 'ready' || state.kind === 'loading'
}

function failureOf(errors: readonly unknown[]): ServerState {
  const messages = errors.map((error) => (error instanceof Error ? error.message : String(error)))
  const refusal = messages.find((message) => /NOAUTH|WRONGPASS|NOPERM|invalid password/.test(message))
  if (refusal !== undefined) return { kind: 'refused', reason: refusal }
  if (messages.some((message) => /ENOENT|ECONNREFUSED/.test(message))) return { kind: 'absent' }
  return { kind: 'silent', reason: messages[0] ?? 'no answer' }
}
