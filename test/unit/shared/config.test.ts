import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

import { loadConfig } from '#shared/config.ts'

test('a standalone needs no settings at all', () => {
  const config = loadConfig({ HOME: '/home/me' }, 'standalone')

  expect(config).toMatchObject({
    redisUrl: undefined,
    host: '127.0.0.1',
    port: 7070,
    sourceRoots: [process.cwd(), '/home/me'],
    allowUnsafeRedis: false,
    partsAtOnce: 16,
    uploadsAtOnce: 32,
    graceMs: 20_000,
    lockMs: 6_000,
    stalledMs: 3_000,
    retainUploadsMs: 30 * 24 * 3_600_000,
    retainJobsMs: 7 * 24 * 3_600_000,
    retainEvents: 10_000,
    prefix: '{stevedore}',
    cacheDir: '/home/me/.cache/stevedore',
  })
  expect(config.dataDir).toMatch(/\/\.stevedore$/)
})

test('every problem is reported in one error', () => {
  const environment = {
    REDIS_URL: 'http://localhost',
    STEVEDORE_PORT: '70700',
    STEVEDORE_PARTS_AT_ONCE: 'many',
    STEVEDORE_SOURCE_ROOTS: '/srv:relative',
    STEVEDORE_SECRET_KEY: 'short',
    STEVEDORE_TOKEN: 'short',
    STEVEDORE_ALLOW_UNSAFE_REDIS: 'perhaps',
    STEVEDORE_LOG_LEVEL: 'loud',
    STEVEDORE_LOCK_MS: '2000',
    STEVEDORE_STALLED_MS: '2000',
    STEVEDORE_PREFIX: 'stevedore',
    STEVEDORE_GRACE: '1',
  }

  const problems = problemsOf(environment, 'worker')

  expect(problems).toEqual([
    expect.stringContaining('REDIS_URL: must look like redis://'),
    'STEVEDORE_PORT: must be a whole number from 0 to 65535',
    'STEVEDORE_SOURCE_ROOTS: must be absolute paths with colons between them',
    expect.stringContaining('STEVEDORE_SECRET_KEY: must be 32 bytes'),
    expect.stringContaining('STEVEDORE_TOKEN: must be 16 or more'),
    'STEVEDORE_ALLOW_UNSAFE_REDIS: must be true or false',
    expect.stringContaining('STEVEDORE_LOG_LEVEL: must be one of trace,'),
    'STEVEDORE_PARTS_AT_ONCE: must be a whole number from 1 to 1000',
    expect.stringContaining('STEVEDORE_PREFIX: must be one hash tag'),
    'STEVEDORE_STALLED_MS: must be less than STEVEDORE_LOCK_MS',
    'STEVEDORE_GRACE: there is no such setting; did you mean STEVEDORE_GRACE_MS?',
  ])
})

test('no secret value stands in the error', () => {
  const environment = {
    REDIS_URL: 'redis:hunter2@host',
    STEVEDORE_TOKEN: 'hunter2 hunter2 hunter2',
    STEVEDORE_SECRET_KEY: 'hunter2',
  }

  const problems = problemsOf(environment, 'standalone')

  expect(problems).toHaveLength(3)
  expect(problems.join()).not.toContain('hunter2')
})

test.for(['serve', 'worker'] as const)('%s must be told where sources are', (role) => {
  expect(problemsOf({}, role)).toEqual([`STEVEDORE_SOURCE_ROOTS: must be set for \`${role}\``])
  expect(loadConfig({ STEVEDORE_SOURCE_ROOTS: '/srv/a:/srv/b/' }, role).sourceRoots).toEqual([
    '/srv/a',
    '/srv/b',
  ])
})

test('a variable that is set to nothing counts as not set', () => {
  const config = loadConfig({ REDIS_URL: '', STEVEDORE_PORT: ' ', STEVEDORE_SOURCE_ROOTS: '' }, 'cli')

  expect(config).toMatchObject({ redisUrl: undefined, port: 7070, sourceRoots: [] })
})

test.for([
  ['hex', '00ff'.repeat(16)],
  ['base64', Buffer.from('00ff'.repeat(16), 'hex').toString('base64')],
  ['base64url', Buffer.from('00ff'.repeat(16), 'hex').toString('base64url')],
] as const)('the secret key may be written as %s', ([, text]) => {
  const { secretKey } = loadConfig({ STEVEDORE_SECRET_KEY: text }, 'standalone')

  expect(secretKey?.toString('hex')).toBe('00ff'.repeat(16))
})

test('.env.example lists exactly the variables that are read, with their defaults', async () => {
  const [source, example] = await Promise.all([read('src/shared/config.ts'), read('.env.example')])
  const readVariables = [...source.matchAll(/setting\('([A-Z_]+)'/g)].map((match) => match[1])
  const listed = [...example.matchAll(/^# ([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => ({
    name,
    value,
  }))

  expect(listed.map(({ name }) => name)).toEqual(readVariables)

  const numbers = listed.filter(({ value, name }) => /^\d+$/.test(value) && name !== 'STEVEDORE_HASH_THREADS')
  const asListed = loadConfig(Object.fromEntries(numbers.map(({ name, value }) => [name, value])), 'cli')
  expect(asListed).toEqual(loadConfig({}, 'cli'))
})

async function read(path: string): Promise<string> {
  return readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
}

function problemsOf(...args: Parameters<typeof loadConfig>): string[] {
  try {
    loadConfig(...args)
  } catch (error) {
    const [, ...problems] = String(error).split('\n  - ')
    return problems
  }
  return []
}
