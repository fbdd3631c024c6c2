import { availableParallelism, homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'

import { parseSecretKey } from './secrets.ts'

export type Role = 'standalone' | 'serve' | 'worker' | 'cli'
export type Environment = Readonly<Record<string, string | undefined>>

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
// Beyond it a Node timer fires at once.
const longestTimer = 2 ** 31 - 1

const variables = z.registry<{ readonly variable: string }>()

/** The one list of settings: our name, the environment's name, what is allowed, what holds when it is unset. */
const settings = {
  redisUrl: setting('REDIS_URL', redisUrl().optional()),
  host: setting('STEVEDORE_HOST', z.string().default('127.0.0.1')),
  port: setting('STEVEDORE_PORT', whole(0, 65_535).default(7070)),
  dataDir: setting('STEVEDORE_DATA_DIR', folder().default(resolve(import.meta.dirname, '../../.stevedore'))),
  sourceRoots: setting('STEVEDORE_SOURCE_ROOTS', absoluteFolders().optional()),
  secretKey: setting('STEVEDORE_SECRET_KEY', secretKey().optional()),
  token: setting('STEVEDORE_TOKEN', token().optional()),
  allowUnsafeRedis: setting('STEVEDORE_ALLOW_UNSAFE_REDIS', yesOrNo().default(false)),
  logLevel: setting('STEVEDORE_LOG_LEVEL', logLevel().default('info')),
  partsAtOnce: setting('STEVEDORE_PARTS_AT_ONCE', whole(1, 1_000).default(16)),
  uploadsAtOnce: setting('STEVEDORE_UPLOADS_AT_ONCE', whole(1, 1_000).default(32)),
  hashThreads: setting('STEVEDORE_HASH_THREADS', whole(1, 64).default(spareCores())),
  graceMs: setting('STEVEDORE_GRACE_MS', whole(0, hour).default(20 * second)),
  lockMs: setting('STEVEDORE_LOCK_MS', whole(second, hour).default(6 * second)),
  stalledMs: setting('STEVEDORE_STALLED_MS', whole(100, hour).default(3 * second)),
  maxCrashes: setting('STEVEDORE_MAX_CRASHES', whole(1, 1_000).default(5)),
  deadlineMs: setting('STEVEDORE_DEADLINE_MS', whole(second, 365 * day).default(day)),
  retainUploadsMs: setting('STEVEDORE_RETAIN_UPLOADS_MS', whole(0, 3_650 * day).default(30 * day)),
  retainJobsMs: setting('STEVEDORE_RETAIN_JOBS_MS', whole(0, 3_650 * day).default(7 * day)),
  retainEvents: setting('STEVEDORE_RETAIN_EVENTS', whole(100, 10_000_000).default(10_000)),
  retainVersions: setting('STEVEDORE_RETAIN_VERSIONS', whole(1, 100_000).default(100)),
  loginBudgetMs: setting('STEVEDORE_LOGIN_BUDGET_MS', whole(0, longestTimer).default(30 * minute)),
  reconcileMs: setting('STEVEDORE_RECONCILE_MS', whole(100, day).default(15 * second)),
  prefix: setting('STEVEDORE_PREFIX', hashTag().default('{stevedore}')),
  cacheDir: setting('STEVEDORE_CACHE_DIR', folder().optional()),
}

const schema = z.object(settings)

type Settings = z.infer<typeof schema>

export interface Config extends Settings {
  readonly sourceRoots: string[]
  readonly cacheDir: string
}

/** Every variable that `loadConfig` reads. */
export const variableNames: readonly string[] = Object.values(settings).map(nameOf)

/** Reads all settings. Throws one error with everything that is wrong with them, without the secret values. */
export function loadConfig(environment: Environment, role: Role): Config {
  const env = withoutEmpty(environment)
  const read = Object.entries(settings).map(([key, setting]) => [key, env[nameOf(setting)]])
  const result = schema.safeParse(Object.fromEntries(read))
  const sourceRoots = result.data?.sourceRoots ?? defaultRoots(role, env)
  const problems = [
    ...(result.error?.issues ?? []).map(describe),
    ...stalledProblem(env),
    ...rootsProblem(role, env),
    ...unknownVariables(env),
  ]
  if (result.data === undefined || sourceRoots === undefined || problems.length > 0) {
    throw new Error(
      `The settings can not be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    )
  }
  return { ...result.data, sourceRoots, cacheDir: result.data.cacheDir ?? defaultCacheDir(env) }
}

function setting<Schema extends z.ZodType>(variable: string, schema: Schema): Schema {
  variables.add(schema, { variable })
  return schema
}

function nameOf(schema: z.ZodType): string {
  return variables.get(schema)?.variable ?? ''
}

// What compose files and `.env` hand on for a variable that nobody filled in.
function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim() !== ''))
}

function describe(issue: z.core.$ZodIssue): string {
  const variable = Object.entries(settings).find(([key]) => key === issue.path[0])?.[1]
  return `${variable === undefined ? 'settings' : nameOf(variable)}: ${issue.message}`
}

function stalledProblem(env: Environment): string[] {
  const { stalledMs, lockMs } = settings
  const [stalled, lock] = [stalledMs, lockMs].map((setting) => setting.safeParse(env[nameOf(setting)]).data)
  if (stalled === undefined || lock === undefined || stalled < lock) return []
  return [`${nameOf(stalledMs)}: must be less than ${nameOf(lockMs)}`]
}

function rootsProblem(role: Role, env: Environment): string[] {
  const variable = nameOf(settings.sourceRoots)
  const isMissing = env[variable] === undefined && defaultRoots(role, env) === undefined
  return isMissing ? [`${variable}: must be set for \`${role}\``] : []
}

function defaultRoots(role: Role, env: Environment): string[] | undefined {
  if (role === 'standalone') return [...new Set([process.cwd(), homeOf(env)])]
  return role === 'cli' ? [] : undefined
}

function defaultCacheDir(env: Environment): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homeOf(env), '.cache'), 'stevedore')
}

function homeOf(env: Environment): string {
  return env['HOME'] ?? homedir()
}

function unknownVariables(env: Environment): string[] {
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith('STEVEDORE_') && !variableNames.includes(name),
  )
  return unknown.map((name) => `${name}: there is no such setting; did you mean ${nearest(name)}?`)
}

function nearest(name: string): string {
  const distances = variableNames.map((known) => ({ known, distance: editDistance(name, known) }))
  return distances.toSorted((a, b) => a.distance - b.distance)[0]?.known ?? ''
}

function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < to.length; j++) {
      const replaced = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

function whole(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`
  return z
    .string()
    .trim()
    .regex(/^\d+$/, { error: message, abort: true })
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message))
}

function isRedisUrl(url: string): boolean {
  return /^rediss?:\/\/[^\s/]+/.test(url) && URL.canParse(url)
}

// The value is left out of every message: it holds a password.
function redisUrl() {
  return z
    .string()
    .trim()
    .refine(isRedisUrl, 'must look like redis://host:6379 or rediss://user:password@host:6379/0')
}

function folder() {
  return z.string().transform((path) => resolve(path))
}

function absoluteFolders() {
  return z
    .string()
    .transform((paths) => paths.split(':').filter((path) => path !== ''))
    .refine(
      (paths) => paths.length > 0 && paths.every(isAbsolute),
      'must be absolute paths with colons between them',
    )
    .transform((paths) => paths.map((path) => resolve(path)))
}

function secretKey() {
  return z
    .string()
    .trim()
    .transform(parseSecretKey)
    .refine(
      (key) => key !== undefined,
      'must be 32 bytes as base64 or hex, such as `openssl rand -base64 32` makes',
    )
}

function token() {
  return z.string().regex(/^[\x21-\x7e]{16,512}$/, 'must be 16 or more printable characters without spaces')
}

function yesOrNo() {
  return z.stringbool({ error: 'must be true or false' })
}

function logLevel() {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
  return z.enum(levels, `must be one of ${levels.join(', ')}`)
}

function hashTag() {
  const message = 'must be one hash tag such as {stevedore}, so that a Redis Cluster keeps all keys together'
  return z.string().regex(/^\{[\w.-]+\}$/, message)
}

function spareCores(): number {
  // One is left to the event loop, which moves all the bytes; but never one alone: behind a file of many
  // gigabytes, small ones must not have to wait.
  return Math.min(Math.max(availableParallelism() - 1, 2), 64)
}
