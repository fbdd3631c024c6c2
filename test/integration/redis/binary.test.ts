import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

import { testServerBinary } from '../../support/redis.ts'

test('the first server on PATH that is recent enough is taken', async () => {
  const { folder, find } = await setup()
  await program(join(folder, 'bin/valkey-server'), 'echo "Valkey server v=5.0.7 sha=0"')
  await program(join(folder, 'bin/redis-server'), 'echo "Redis server v=7.2.4 sha=0"')

  const found = await find().answer()

  expect(found).toMatchObject({ path: join(folder, 'bin/redis-server'), version: '7.2.4', env: {} })
})

test('without any server, and without apt, one error names what was tried and three ways out', async () => {
  const { find } = await setup()

  const message = await find().answer()

  expect(message).toMatch(/no valkey-server on PATH[^]+no redis-server on PATH[^]+no apt-get and dpkg/)
  expect(message).toMatch(/1\. Install one[^]+2\. Run one in a container[^]+3\. Set REDIS_URL/)
})

test('with apt, a server is unpacked whole or not at all, however often that is killed, and only once', async () => {
  const { folder, find } = await setup()
  const server = await fakeArchive(folder)
  for (const delayMs of [300, 700, 1_100, 1_500]) {
    const search = find()
    await sleep(delayMs)
    search.process.kill('SIGKILL')
    await search.ended
  }

  const [one, other] = await Promise.all([find().answer(), find().answer()])
  const again = await find().answer()

  expect(one).toMatchObject({ path: expect.stringContaining(join(folder, 'cache')), version: server.version })
  expect(other).toEqual(one)
  expect(again).toEqual(one)
  const left = await readdir(join(folder, 'cache'))
  expect(left.filter((name) => name.startsWith('unpacking-'))).toEqual([])
})

interface Search {
  readonly process: ReturnType<typeof spawn>
  readonly ended: Promise<unknown>
  /** What was found, or the message of the error. */
  readonly answer: () => Promise<unknown>
}

// In a process of its own, as PATH is the process's.
async function setup(): Promise<{ folder: string; find: () => Search }> {
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-binary-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'bin'))
  // What the search itself needs, and nothing else that this machine happens to have.
  for (const name of ['sh', 'mkdir', 'cp', 'sleep', 'touch', 'cat']) await link(name, join(folder, 'bin', name))
  const script = fileURLToPath(new URL('find-server.ts', import.meta.url))
  const find = (): Search => {
    const env = { PATH: join(folder, 'bin') }
    const search = spawn(process.execPath, [script, join(folder, 'cache')], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(search, 'exit')
    const output = search.stdout.toArray().then((chunks) => Buffer.concat(chunks).toString())
    return { process: search, ended, answer: async () => JSON.parse(await output) }
  }
  return { folder, find }
}
