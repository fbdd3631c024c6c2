import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { arch } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { withFileLock } from './file-lock.ts'
import { type Candidate, checked } from './server-binary.ts'

const execute = promisify(execFile)

// Where the binary is, by the package that brings the server; the tools package holds the real file.
const sources = [
  { packages: ['valkey-server', 'valkey-tools'], binary: 'usr/bin/valkey-server' },
  { packages: ['redis-server', 'redis-tools'], binary: 'usr/bin/redis-server' },
]

type Source = (typeof sources)[number]

export interface UnpackOptions {
  readonly cacheDir: string
  readonly log: (message: string) => void
}

/**
 * Unpacks a server from the distribution's own, signed archive into the cache folder, without root and
 * without touching the system; answers the one that is there already. Debian and Ubuntu only.
 */
export async function unpackServer({ cacheDir, log }: UnpackOptions): Promise<Candidate> {
  const system = await requireApt()
  const home = join(cacheDir, `server-${system}-${arch()}`)
  const there = await usable(home)
  if (there !== undefined) return there

  await mkdir(cacheDir, { recursive: true, mode: 0o700 })
  const lock = { purpose: 'unpacking a Redis server', timeoutMs: 180_000 }
  return withFileLock(join(cacheDir, 'unpack.lock'), lock, async () => {
    const meanwhile = await usable(home)
    if (meanwhile !== undefined) return meanwhile
    log(`No Redis server on PATH: fetching one with apt into ${home} (once, without root)`)
    await removeLeftovers(cacheDir)
    const work = await mkdtemp(join(cacheDir, leftoverPrefix))
    try {
      return await unpackInto(work, home)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  })
}

const leftoverPrefix = 'unpacking-'

// We hold the lock, so whoever made these was killed over it.
async function removeLeftovers(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (name.startsWith(leftoverPrefix)) await rm(join(cacheDir, name), { recursive: true, force: true })
  }
}

/** Names the system, because one home folder may serve machines with different ones. */
async function requireApt(): Promise<string> {
  try {
    await Promise.all([execute('apt-get', ['--version']), execute('dpkg', ['--version'])])
    const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
    const field = (name: string) => new RegExp(`^${name}="?([\\w.-]+)`, 'm').exec(release)?.[1] ?? 'unknown'
    return `${field('ID')}-${field('VERSION_CODENAME')}`
  } catch {
    throw new Error('there is no apt-get and dpkg to fetch one with')
  }
}

async function usable(home: string): Promise<Candidate | undefined> {
  const libraries = await libraryFolders(home)
  for (const { binary } of sources) {
    try {
      return await checked(candidateOf(join(home, binary), libraries))
    } catch {
      // Not this one, or not whole: the next one, or unpacked again.
    }
  }
  return undefined
}

function candidateOf(path: string, libraries: readonly string[]): Candidate {
  return { path, env: libraries.length === 0 ? {} : { LD_LIBRARY_PATH: libraries.join(':') } }
}

async function unpackInto(work: string, home: string): Promise<Candidate> {
  const apt = await privateApt(work)
  const source = await choose(apt)
  const root = join(work, 'root')
  await unpackPackages(apt, root, source.packages)
  await addLibraries(apt, root, source)
  await checked(candidateOf(join(root, source.binary), await libraryFolders(root)))
  await rm(home, { recursive: true, force: true })
  await rename(root, home)
  return candidateOf(join(home, source.binary), await libraryFolders(home))
}

interface Apt {
  readonly downloads: string
  readonly run: (program: string, args: readonly string[]) => Promise<string>
}

/** apt with its lists, cache and locks in `work`; sources, keys and proxies stay the system's own. */
async function privateApt(work: string): Promise<Apt> {
  const downloads = join(work, 'downloads')
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'downloads', 'root']) {
    await mkdir(join(work, folder), { recursive: true })
  }
  await writeFile(join(work, 'apt.conf'), aptConfig(work))
  const run = async (program: string, args: readonly string[]): Promise<string> => {
    const { stdout } = await execute(program, ['-c', join(work, 'apt.conf'), '-q', ...args], {
      cwd: downloads,
      timeout: 120_000,
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  }
  // One broken third-party source fails the update, although all that we need arrived: judged by what follows.
  await run('apt-get', ['update']).catch(() => undefined)
  return { downloads, run }
}

function aptConfig(work: string): string {
  return `
Dir::State "${work}/state";
Dir::State::Lists "${work}/state/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "${work}/cache";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
// Run as root, apt would download as a user that can not write here.
APT::Sandbox::User "root";
// The system's hooks expect root and the system's folders.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`
}

async function choose(apt: Apt): Promise<Source> {
  for (const source of sources) {
    const known = await apt.run('apt-cache', ['policy', ...source.packages]).catch(() => '')
    if (known.split('\n').filter((line) => /^ +Candidate: \d/.test(line)).length === 2) return source
  }
  throw new Error('apt knows neither valkey-server nor redis-server (is the package archive reachable?)')
}

async function unpackPackages(apt: Apt, root: string, packages: readonly string[]): Promise<void> {
  const before = new Set(await readdir(apt.downloads))
  await apt.run('apt-get', ['download', ...packages])
  for (const name of await readdir(apt.downloads)) {
    if (!before.has(name)) await execute('dpkg', ['-x', join(apt.downloads, name), root], { timeout: 60_000 })
  }
}

/** Round by round, the library packages that those unpacked so far name, while the loader misses something. */
async function addLibraries(apt: Apt, root: string, source: Source): Promise<void> {
  const unpacked = new Set<string>()
  let latest = source.packages
  for (;;) {
    const missing = await missingLibraries(root, source.binary)
    if (missing.length === 0) return
    const wanted = (await libraryPackages(apt, latest)).filter((name) => !unpacked.has(name))
    if (wanted.length === 0) throw new Error(`no package brings ${missing.join(', ')}`)
    await unpackPackages(apt, root, wanted)
    for (const name of wanted) unpacked.add(name)
    latest = wanted
  }
}

async function missingLibraries(root: string, binary: string): Promise<string[]> {
  const libraries = (await libraryFolders(root)).join(':')
  const ldd = 'LD_LIBRARY_PATH="$1" exec ldd "$2"'
  const { stdout } = await execute('sh', ['-c', ldd, 'sh', libraries, join(root, binary)], {
    timeout: 30_000,
  })
  return [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map((match) => match[1] ?? '')
}

async function libraryPackages(apt: Apt, packages: readonly string[]): Promise<string[]> {
  const listing = await apt.run('apt-cache', ['depends', ...packages])
  const names = [...listing.matchAll(/^ *(?:Pre)?Depends: (lib[^\s:]+)/gm)].map((match) => match[1] ?? '')
  // The C library has to be the system's: its loader has started before ours could be found.
  return [...new Set(names)].filter((name) => !['libc6', 'libgcc-s1', 'libcrypt1'].includes(name))
}

/** Every folder below `root` with shared libraries in it, whatever the machine's triplet is. */
async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = []
  for (const parent of ['usr/lib', 'lib']) {
    for (const name of await readdir(join(root, parent)).catch(() => [])) {
      const folder = join(root, parent, name)
      if (name.includes('-linux-') && (await stat(folder)).isDirectory()) folders.push(folder)
    }
  }
  return folders
}
