import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Interface, createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'

import { connectRedis, waitForRedis } from '#shared/redis/connect.ts'
import { type EmbeddedRedis, joinEmbedded, startEmbedded } from '#shared/redis/embedded.ts'
import { findProblems } from '#shared/redis/requirements.ts'

import { ownDataDir } from '../../support/embedded.ts'
import { testCacheDir, testServerBinary } from '../../support/redis.ts'

test('starts a server that passes the requirements, and hides its password', async () => {
  const dataDir = await ownDataDir()

  const embedded = await start(dataDir.path)

  const redis = client(embedded.url)
  expect(embedded).toMatchObject({ kind: 'started', dataDir: dataDir.path })
  expect(await findProblems(redis)).toEqual([])
  expect(await redis.config('GET', 'appendfsync')).toEqual(['appendfsync', 'everysec'])
  const password = new URL(embedded.url).password
  expect(password).toMatch(/^[\da-f]{64}$/)
  expect(await commandLines()).not.toContain(password)
  await expect(client(embedded.url.replace(password, 'guessed')).ping()).rejects.toThrow('WRONGPASS')
  for (const name of ['redis.json', 'redis.conf', 'redis.log']) {
    expect((await stat(join(dataDir.path, name))).mode & 0o777).toBe(0o600)
  }
  expect((await stat(dataDir.path)).mode & 0o777).toBe(0o700)
})

test('a server outlives its killed owner and is adopted with all its data', async () => {
  const dataDir = await ownDataDir()
  const owner = await startOwner(dataDir.path)
  const before = client(owner.url)
  for (let n = 0; n < 500; n++) await before.set(`key:${n}`, n)
  const servers = await dataDir.servers()

  await kill(owner.process)
  const embedded = await start(dataDir.path)

  expect(embedded).toMatchObject({ kind: 'adopted', url: owner.url })
  expect(await dataDir.servers()).toEqual(servers)
  expect(await client(embedded.url).dbsize()).toBe(500)
})

test('starts at the same moment, in several processes, end with one server', async () => {
  const dataDir = await ownDataDir()

  const starts = await Promise.all([
    ...Array.from({ length: 3 }, async () => startOwner(dataDir.path)),
    ...Array.from({ length: 2 }, async () => start(dataDir.path)),
  ])

  expect(starts.filter(({ kind }) => kind === 'started')).toHaveLength(1)
  expect(new Set(starts.map(({ url }) => url)).size).toBe(1)
  expect(await dataDir.servers()).toHaveLength(1)
})

test('an owner killed at any moment of its start leaves at most one server, and the next start gets on', async () => {
  for (let delayMs = 0; delayMs <= 120; delayMs += 6) {
    const dataDir = await ownDataDir()
    const owner = spawnOwner(dataDir.path)
    await firstLine(owner)
    await sleep(delayMs)
    await kill(owner)

    const embedded = await startEmbedded(options(dataDir.path))

    expect(await dataDir.servers(), `killed after ${delayMs} ms`).toHaveLength(1)
    expect(await embedded.stop()).toBe('stopped')
  }
})

test('a redis.json that names a process which is not its server is not believed', async () => {
  const dataDir = await ownDataDir()
  const first = await startEmbedded(options(dataDir.path))
  const saved = JSON.parse(await readFile(join(dataDir.path, 'redis.json'), 'utf8'))
  await first.stop()
  // As if the machine had restarted and given the server's process id to us.
  const reused = { ...saved, process: { pid: process.pid, startTime: '1' } }
  await writeFile(join(dataDir.path, 'redis.json'), JSON.stringify(reused))

  const embedded = await startEmbedded(options(dataDir.path))

  expect(embedded.kind).toBe('started')
  expect(await dataDir.servers()).toHaveLength(1)
  expect(await embedded.stop()).toBe('stopped')
})

test.for(['', '{"v":1,"port":', '{"v":1,"port":1,"password":"x","process":{"pid":1,"startTime":"0"}}'])(
  'with redis.json damaged to %j the living server is still found',
  async (damaged) => {
    const dataDir = await ownDataDir()
    const owner = await startOwner(dataDir.path)
    await kill(owner.process)
    const servers = await dataDir.servers()
    await writeFile(join(dataDir.path, 'redis.json'), damaged)

    const embedded = await start(dataDir.path)

    expect(embedded).toMatchObject({ kind: 'adopted', url: owner.url })
    expect(await dataDir.servers()).toEqual(servers)
    const saved = JSON.parse(await readFile(join(dataDir.path, 'redis.json'), 'utf8'))
    expect(saved.process.pid).toBe(servers[0])
  },
)

test.for(['data', 'd'.repeat(120)])(
  'with all notes about it gone, a living server is left alone (%s)',
  async (name) => {
    const dataDir = await ownDataDir(name)
    const owner = await startOwner(dataDir.path)
    await kill(owner.process)
    const servers = await dataDir.servers()
    await rm(join(dataDir.path, 'redis.json'))
    await rm(join(dataDir.path, 'redis.conf'))

    await expect(startEmbedded(options(dataDir.path))).rejects.toThrow('A Redis server runs on')

    expect(await dataDir.servers()).toEqual(servers)
  },
)

test('a server that hangs is neither adopted nor joined by a second one', async () => {
  const dataDir = await ownDataDir()
  const owner = await startOwner(dataDir.path)
  await kill(owner.process)
  const servers = await dataDir.servers()
  for (const pid of servers) process.kill(pid, 'SIGSTOP')

  await expect(startEmbedded(options(dataDir.path))).rejects.toThrow('does not answer')

  expect(await dataDir.servers()).toEqual(servers)
})

test('a server that is killed comes back at the same address, with all its data', async () => {
  const dataDir = await ownDataDir()
  const embedded = await start(dataDir.path)
  const redis = connectRedis(embedded.url, { role: 'worker', name: 'test' })
  onTestFinished(() => redis.disconnect())
  await redis.set('key', 'value')
  const [killed = 0] = await dataDir.servers()

  process.kill(killed, 'SIGKILL')

  expect(await redis.get('key')).toBe('value')
  const servers = await dataDir.servers()
  expect(servers).toHaveLength(1)
  expect(servers).not.toContain(killed)
})

test('row 7: an append-only file whose end is cut off is loaded without its last command, and says so', async () => {
  const dataDir = await ownDataDir()
  await fill(dataDir.path)
  const aof = await newestAof(dataDir.path)
  await writeFile(aof, (await readFile(aof)).subarray(0, -5))
  const lines: string[] = []

  const embedded = await startEmbedded({ ...options(dataDir.path), log: (line) => lines.push(line) })
  onTestFinished(async () => void (await embedded.stop()))

  expect(await client(embedded.url).dbsize()).toBe(99)
  expect(lines).toEqual([expect.stringMatching(/append-only file was incomplete.*was cut off.*redis\.log/)])
})

test('row 7: an append-only file damaged in the middle is refused with the way to repair it, which works', async () => {
  const dataDir = await ownDataDir()
  await fill(dataDir.path)
  const aof = await newestAof(dataDir.path)
  const content = await readFile(aof)
  content.write('garbage!', Math.floor(content.length / 2))
  await writeFile(aof, content)

  const refusal = await refusalOf(startEmbedded(options(dataDir.path)))

  expect(refusal).toContain('append-only file, which is damaged')
  expect(await dataDir.servers()).toEqual([])
  const [copy = '', repair = ''] = refusal.split('\n').filter((line) => line.startsWith('  '))
  await promisify(execFile)('sh', ['-c', `${copy} && echo y | ${repair}`])
  const embedded = await start(dataDir.path)
  expect(await client(embedded.url).dbsize()).toBeGreaterThan(10)
})

test('serve and worker join the server of a standalone, and are refused where none runs', async () => {
  const dataDir = await ownDataDir()
  await expect(joinEmbedded({ dataDir: dataDir.path })).rejects.toThrow(
    'REDIS_URL is not set, and no Stevedore runs',
  )
  const embedded = await startEmbedded(options(dataDir.path))

  const joined = await joinEmbedded({ dataDir: dataDir.path })

  expect(joined.url).toBe(embedded.url)
  expect(await embedded.stop()).toBe('left-running')
  joined.close()
  const again = await startEmbedded(options(dataDir.path))
  expect(again).toMatchObject({ kind: 'adopted', url: embedded.url })
  expect(await again.stop()).toBe('stopped')
  await expect(joinEmbedded({ dataDir: dataDir.path })).rejects.toThrow('no Stevedore runs')
})

test('stopping leaves nothing but the data, which the next start has again', async () => {
  const dataDir = await ownDataDir()
  await fill(dataDir.path)

  expect(await dataDir.servers()).toEqual([])
  expect((await readdir(dataDir.path)).toSorted()).toEqual(['redis', 'redis.lock', 'redis.log'])
  const embedded = await start(dataDir.path)
  expect(await client(embedded.url).dbsize()).toBe(100)
})

test('a port that somebody took meanwhile is given up for another', async () => {
  const dataDir = await ownDataDir()
  const other = await ownDataDir()
  const taken = await start(other.path)
  await fill(dataDir.path)
  const { port } = new URL(taken.url)
  await writeFile(
    join(dataDir.path, 'redis.json'),
    JSON.stringify({ v: 1, port: Number(port), password: 'x' }),
  )

  const embedded = await start(dataDir.path)

  expect(new URL(embedded.url).port).not.toBe(port)
  expect(await client(embedded.url).dbsize()).toBe(100)
})

async function refusalOf(start: Promise<EmbeddedRedis>): Promise<string> {
  return start.then(
    () => 'started',
    (error: unknown) => String(error),
  )
}

function options(dataDir: string) {
  return { dataDir, cacheDir: testCacheDir(), log: () => {} }
}

/** Started for the length of the test. */
async function start(dataDir: string): Promise<EmbeddedRedis> {
  const embedded = await startEmbedded(options(dataDir))
  onTestFinished(async () => void (await embedded.stop()))
  return embedded
}

function client(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => null })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  return redis
}

async function fill(dataDir: string): Promise<void> {
  const embedded = await startEmbedded(options(dataDir))
  const redis = connectRedis(embedded.url, { role: 'worker', name: 'fill' })
  await waitForRedis(redis, 5_000)
  for (let n = 0; n < 100; n++) await redis.set(`key:${n}`, 'x'.repeat(100))
  await redis.quit()
  expect(await embedded.stop()).toBe('stopped')
}

async function newestAof(dataDir: string): Promise<string> {
  const folder = join(dataDir, 'redis', 'appendonlydir')
  const names = (await readdir(folder)).filter((name) => name.endsWith('.incr.aof'))
  return join(folder, names.toSorted().at(-1) ?? '')
}

async function commandLines(): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-eo', 'args='])
  return stdout
}

function spawnOwner(dataDir: string): ChildProcess {
  const script = fileURLToPath(new URL('embedded-owner.ts', import.meta.url))
  const owner = spawn(process.execPath, [script, dataDir, testCacheDir()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(async () => kill(owner))
  return owner
}

interface Owner {
  readonly process: ChildProcess
  readonly url: string
  readonly kind: string
}

async function startOwner(dataDir: string): Promise<Owner> {
  await testServerBinary()
  const owner = spawnOwner(dataDir)
  for await (const line of linesOf(owner)) {
    if (line.startsWith('{')) return { process: owner, ...JSON.parse(line) }
  }
  throw new Error('The owner ended without a server')
}

async function firstLine(owner: ChildProcess): Promise<void> {
  await once(linesOf(owner), 'line')
}

function linesOf(owner: ChildProcess): Interface {
  if (owner.stdout === null) throw new Error('The owner has no output')
  return createInterface(owner.stdout)
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
