import { loadConfig } from '#shared/config.ts'

/** Where the service of whoever runs this program has its Redis server unpacked. */
export function ownCacheDir(): string {
  const { HOME, XDG_CACHE_HOME, STEVEDORE_CACHE_DIR } = process.env
  return loadConfig({ HOME, XDG_CACHE_HOME, STEVEDORE_CACHE_DIR }, 'cli').cacheDir
}
