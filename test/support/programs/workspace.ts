import { mkdir, mkdtemp, readdir, realpath, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatBytes } from '#producer/cli/terminal/format.ts'
import { ProgramFailed } from './failure.ts'

const FOLDERS = ['sources', 'data', 'arrived', 'logs'] as const

type Folder = (typeof FOLDERS)[number]

/** Everything that a program such as the demo writes is in here. */
export interface Workspace extends AsyncDisposable {
  readonly root: string
  readonly sources: string
  /** The embedded Redis, and what the service's processes share. */
  readonly data: string
  /** What arrives at the fake. */
  readonly arrived: string
  readonly logs: string
  /** These folders stay, for a person to look into. */
  readonly keep: (...folders: readonly Folder[]) => void
}

interface Wanted {
  /** Of the program, for the folder's name and for messages. */
  readonly program: string
  /** Room that is needed. */
  readonly bytes: number
  /** What makes it less. */
  readonly smaller: string
}

/** A new temporary folder, removed when disposed. Throws when there is no room for so many bytes. */
export async function openWorkspace(wanted: Wanted): Promise<Workspace> {
  await requireRoom(wanted)
  const root = await realpath(await mkdtemp(join(tmpdir(), `stevedore-${wanted.program}-`)))
  const folders = {
    sources: join(root, 'sources'),
    data: join(root, 'data'),
    arrived: join(root, 'arrived'),
    logs: join(root, 'logs'),
  }
  for (const folder of Object.values(folders)) await mkdir(folder, { mode: 0o700 })
  let kept: readonly string[] = []
  return {
    root,
    ...folders,
    keep: (...names) => (kept = names),
    [Symbol.asyncDispose]: async () => removeExcept(root, kept),
  }
}

async function requireRoom({ program, bytes, smaller }: Wanted): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir())
  if (bavail * bsize >= bytes) return
  throw new ProgramFailed(
    `${tmpdir()} has ${formatBytes(bavail * bsize)} left, and the ${program} takes ${formatBytes(bytes)}`,
    [`Set TMPDIR to a folder with more room, or make it smaller: npm run ${program} -- ${smaller}`],
  )
}

async function removeExcept(root: string, kept: readonly string[]): Promise<void> {
  const doomed = kept.length === 0 ? [root] : (await readdir(root)).filter((name) => !kept.includes(name))
  // Absolute names stay what they are.
  await Promise.all(
    doomed.map((name) => rm(resolve(root, name), { recursive: true, force: true, maxRetries: 3 })),
  )
}
