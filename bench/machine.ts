import { availableParallelism, cpus } from 'node:os'
import { basename } from 'node:path'
import { loadConfig } from '#shared/config.ts'
import { findServer } from '#shared/redis/binary.ts'

/** What all figures depend on, in a line. Throws when there is no Redis server to be had. */
export async function describeMachine(): Promise<string> {
  const { path, version } = await findServer({ cacheDir: redisCacheDir(), log: () => undefined })
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'unknown make'}`
  return `${cores}, Node ${process.version}, ${basename(path)} ${version}`
}

/** Where the service itself keeps a Redis server that it fetched. */
export function redisCacheDir(): string {
  const { HOME, XDG_CACHE_HOME, STEVEDORE_CACHE_DIR } = process.env
  return loadConfig({ HOME, XDG_CACHE_HOME, STEVEDORE_CACHE_DIR }, 'cli').cacheDir
}
