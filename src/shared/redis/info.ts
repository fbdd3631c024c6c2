import type { Redis } from 'ioredis'

/** Answers of INFO by field name, such as `redis_version`. */
export type ServerInfo = ReadonlyMap<string, string>

/** Everything INFO tells by default; allowed while the server still loads, and on managed ones. */
export async function readInfo(redis: Redis): Promise<ServerInfo> {
  return parseInfo(await redis.info())
}

function parseInfo(text: string): ServerInfo {
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}
