import type { Redis } from 'ioredis'

import { type ServerInfo, readInfo } from './info.ts'

export interface RequirementsOptions {
  readonly allowUnsafe: boolean
  readonly log: (message: string) => void
}

/** Throws one error with everything that makes this Redis lose or refuse our records; says so if allowed. */
export async function requireSafeRedis(
  redis: Redis,
  { allowUnsafe, log }: RequirementsOptions,
): Promise<void> {
  const problems = await findProblems(redis)
  if (problems.length === 0) return
  const list = problems.map((problem) => `  - ${problem}`).join('\n')
  if (!allowUnsafe) {
    throw new Error(
      `This Redis is not safe for uploads:\n${list}\nSTEVEDORE_ALLOW_UNSAFE_REDIS=true uses it all the same`,
    )
  }
  log(`UNSAFE REDIS, used because STEVEDORE_ALLOW_UNSAFE_REDIS is set. Uploads can be lost:\n${list}`)
}

/** What is wrong with this Redis, each with what to do. From INFO alone: managed ones forbid CONFIG. */
export async function findProblems(redis: Redis): Promise<string[]> {
  const info = await readInfo(redis)
  return [oldVersion(info), noAof(info), evicting(info), replica(info)].filter(
    (problem) => problem !== undefined,
  )
}

function oldVersion(info: ServerInfo): string | undefined {
  // Valkey gives the version of Redis that it is compatible with here, and its own elsewhere.
  const version = info.get('redis_version') ?? 'unknown'
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 6 || (major === 6 && minor >= 2)) return undefined
  return `it is version ${version}: use Redis 6.2 or later, or Valkey`
}

function noAof(info: ServerInfo): string | undefined {
  if (info.get('aof_enabled') === '1') return undefined
  return 'AOF is off, so its end would lose accepted uploads: set `appendonly yes` (and `appendfsync everysec`)'
}

function evicting(info: ServerInfo): string | undefined {
  const policy = info.get('maxmemory_policy') ?? 'unknown'
  if (policy === 'noeviction') return undefined
  return `maxmemory-policy is ${policy}, which drops records when memory is short: set it to noeviction`
}

function replica(info: ServerInfo): string | undefined {
  return info.get('role') === 'slave' ? 'it is a replica: use the address of the primary' : undefined
}

/** How far Redis's clock is ahead of ours (negative: behind), as exact as half the round trip. */
export async function clockSkewMs(redis: Redis): Promise<number> {
  const before = Date.now()
  const [seconds, microseconds] = await redis.time()
  const middle = (before + Date.now()) / 2
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000 - middle
}

/** Leases and delays of several hosts no longer agree beyond this. */
const MOST_SKEW_MS = 5000

/** What is wrong with this host's clock; `undefined` while it agrees with that of Redis, as far as one can tell. */
export async function clockProblem(redis: Redis): Promise<string | undefined> {
  const before = performance.now()
  const skewMs = Math.abs(await clockSkewMs(redis))
  // A Redis that was away meanwhile says nothing about the clock.
  const unsureMs = (performance.now() - before) / 2
  if (skewMs - unsureMs <= MOST_SKEW_MS) return undefined
  return `the clocks of Redis and this host differ by ${Math.round(skewMs / 1000)} s: synchronise them (NTP)`
}
