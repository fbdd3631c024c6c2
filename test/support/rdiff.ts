import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

// In here, and not in the shared temporary folder: what is run must not be another user's to change.
const CACHE = join(import.meta.dirname, '../../node_modules/.cache')
const UNPACKED = join(CACHE, 'rdiff')

/** Writes the signature of a file as librsync itself makes it, in the format that VRChat asks for. */
export const rdiffSignature = async (source: string, signature: string): Promise<void> => {
  const { binary, env } = await (found ??= findRdiff())
  const format = ['-H', 'blake2', '-R', 'rollsum', '-b', '2048', '-S', '32']
  await run(binary, ['-f', ...format, 'signature', source, signature], { env })
}

interface Rdiff {
  readonly binary: string
  readonly env: NodeJS.ProcessEnv
}

let found: Promise<Rdiff> | undefined

/** The rdiff on PATH, else one unpacked without root from Debian's or Ubuntu's packages. */
const findRdiff = async (): Promise<Rdiff> => {
  const onPath = { binary: 'rdiff', env: process.env }
  if (await works(onPath)) return onPath
  try {
    await access(UNPACKED).catch(fetchRdiff)
    const unpacked = await inFolder(UNPACKED)
    if (await works(unpacked)) return unpacked
  } catch (cause) {
    throw new Error('No rdiff to compare with: install it (Debian: rdiff, elsewhere: librsync)', { cause })
  }
  throw new Error(`The rdiff unpacked to ${UNPACKED} does not run: remove that folder, or install rdiff`)
}

const works = ({ binary, env }: Rdiff): Promise<boolean> =>
  run(binary, ['--version'], { env }).then(
    () => true,
    () => false,
  )

const inFolder = async (folder: string): Promise<Rdiff> => {
  const entries = await readdir(join(folder, 'usr/lib'), { recursive: true, withFileTypes: true })
  const libraries = entries.filter(({ name }) => name.includes('.so')).map(({ parentPath }) => parentPath)
  const paths = [...new Set(libraries)].join(':')
  return { binary: join(folder, 'usr/bin/rdiff'), env: { ...process.env, LD_LIBRARY_PATH: paths } }
}

// Test files run at once: each fetches into a folder of its own, and the first to finish gives it the name.
const fetchRdiff = async (): Promise<void> => {
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(CACHE, 'apt-'))
  try {
    // Stays empty where the machine has all libraries already.
    await mkdir(join(work, 'root/usr/lib'), { recursive: true })
    const apt = await privateApt(work)
    await unpack(apt, ['rdiff'], work)
    while (await unpackMissing(apt, work));
    await rename(join(work, 'root'), UNPACKED).catch(() => access(UNPACKED))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

type Apt = (command: string, ...args: readonly string[]) => Promise<string>

/** apt with its lists in our folder, so that it needs neither root nor an `apt-get update` before. */
const privateApt = async (work: string): Promise<Apt> => {
  await mkdir(join(work, 'state/lists/partial'), { recursive: true })
  await mkdir(join(work, 'cache/archives/partial'), { recursive: true })
  const folders = [`Dir::State=${work}/state`, `Dir::Cache=${work}/cache`, 'APT::Sandbox::User=root']
  const options = [...folders, 'Dir::State::status=/var/lib/dpkg/status'].flatMap((option) => ['-o', option])
  const apt: Apt = async (command, ...args) =>
    (await run(command, [...options, ...args], { cwd: work, env: { ...process.env, LC_ALL: 'C' } })).stdout
  await apt('apt-get', 'update')
  return apt
}

const unpack = async (apt: Apt, packages: readonly string[], work: string): Promise<void> => {
  await apt('apt-get', 'download', ...packages)
  for (const file of await readdir(work)) {
    if (!file.endsWith('.deb')) continue
    await run('dpkg', ['-x', join(work, file), join(work, 'root')])
    await rm(join(work, file))
  }
}

/** Unpacks the libraries that rdiff's dependencies name for it, until none is missing. Answers whether one was. */
const unpackMissing = async (apt: Apt, work: string): Promise<boolean> => {
  const { binary, env } = await inFolder(join(work, 'root'))
  const missing = [...(await run('ldd', [binary], { env })).stdout.matchAll(/^\s*lib(\w+)\S* => not found/gm)]
  if (missing.length === 0) return false
  // `--important` is Depends and PreDepends only: what breaks or replaces libc is half of the archive.
  const depends = await apt('apt-cache', 'depends', '--recurse', '--important', 'rdiff')
  const packages = missing.map(([line, name]) => {
    const wanted = depends.split('\n').find((candidate) => candidate.trim().startsWith(`lib${name}`))
    if (wanted === undefined) throw new Error(`No dependency of rdiff holds ${line.trim()}`)
    return wanted.trim()
  })
  await unpack(apt, packages, work)
  return true
}
