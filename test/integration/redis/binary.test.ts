import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

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
  await fakeArchive(join(folder, 'bin'))
  for (const delayMs of [200, 350, 500, 650, 800, 950]) {
    const search = find()
    await sleep(delayMs)
    search.process.kill('SIGKILL')
    await search.ended
  }

  const [one, other] = await Promise.all([find().answer(), find().answer()])
  const again = await find().answer()

  expect(one).toMatchObject({ path: expect.stringContaining(join(folder, 'cache')), version: '7.0.15' })
  expect(other).toEqual(one)
  expect(again).toEqual(one)
  const left = await readdir(join(folder, 'cache'))
  expect(left.filter((name) => name.startsWith('unpacking-'))).toEqual([])
})

interface Search {
  readonly process: ChildProcess
  readonly ended: Promise<unknown>
  /** What was found, or the message of the error. */
  readonly answer: () => Promise<unknown>
}

// In a process of its own, as PATH is the process's.
async function setup(): Promise<{ folder: string; find: () => Search }> {
  const folder = await mkdtemp(join(tmpdir(), 'stevedore-binary-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'bin'))
  // What the fakes are made of, and nothing else that this machine happens to have.
  for (const name of ['sh', 'mkdir', 'cp', 'sleep', 'touch', 'chmod']) {
    const real = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
    await symlink(real, join(folder, 'bin', name))
  }
  const script = fileURLToPath(new URL('find-server.ts', import.meta.url))
  const find = (): Search => {
    const env = { PATH: join(folder, 'bin') }
    const search = spawn(process.execPath, [script, join(folder, 'cache')], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(search, 'exit')
    const output = search.stdout.toArray().then((chunks) => Buffer.concat(chunks).toString())
    return { process: search, ended, answer: async () => JSON.parse(await output) }
  }
  return { folder, find }
}

async function program(path: string, script: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

/** A package archive that knows Redis, is slow, and whose server misses one library until its package came. */
async function fakeArchive(bin: string): Promise<void> {
  await program(
    join(bin, 'apt-get'),
    `case "$*" in
      *update*) sleep 0.2 ;;
      *download*) for last; do sleep 0.1; case "$last" in redis-*|lib*) touch "$last.deb" ;; esac; done ;;
    esac`,
  )
  await program(
    join(bin, 'apt-cache'),
    `case "$*" in
      *policy*redis*) echo '  Candidate: 7'; echo '  Candidate: 7' ;;
      *depends*redis*) echo '  Depends: libc6'; echo '  Depends: libjemalloc2'; echo '  Depends: adduser' ;;
    esac`,
  )
  await program(
    join(bin, 'dpkg'),
    `[ "$1" = -x ] || exit 0
    sleep 0.1
    mkdir -p "$3/usr/bin" "$3/usr/lib/a-linux-b"
    case "$2" in
      *redis-tools*) cp "$(dirname "$0")/packaged" "$3/usr/bin/redis-server"; sleep 0.1; chmod +x "$3/usr/bin/redis-server" ;;
      *jemalloc*) touch "$3/usr/lib/a-linux-b/libjemalloc.so.2" ;;
    esac`.replace('$(dirname "$0")', bin),
  )
  await writeFile(
    join(bin, 'packaged'),
    '#!/bin/sh\n[ -e "$LD_LIBRARY_PATH/libjemalloc.so.2" ] && echo "Redis server v=7.0.15 sha=0"\n',
  )
  await program(
    join(bin, 'ldd'),
    '[ -e "$LD_LIBRARY_PATH/libjemalloc.so.2" ] || echo "	libjemalloc.so.2 => not found"',
  )
}
