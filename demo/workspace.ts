import { mkdir, mkdtemp, readdir, realpath, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatBytes } from '#producer/cli/terminal/format.ts'
import { DemoFailed } from './failure.ts'

/** Everything that the demo writes is in here. */
export interface Workspace extends AsyncDisposable {
  readonly sources: string
  /** The embedded Redis, and what the service's processes share. */
  readonly data: string
  /** What arrives at the fake. */
  readonly arrived: string
  readonly logs: string
  /** The logs stay, for a person to look into. */
  readonly keepLogs: () => void
}

/** A new temporary folder, removed when disposed. Throws when there is no room for so many bytes. */
export async function openWorkspace(bytes: number): Promise<Workspace> {
  await requireRoom(bytes)
  const root = await realpath(await mkdtemp(join(tmpdir(), 'stevedore-demo-')))
  const folders = {
    sources: join(root, 'files'),
    data: join(root, 'data'),
    arrived: join(root, 'arrived'),
    logs: join(root, 'logs'),
  }
  for (const folder of Object.values(folders)) await mkdir(folder, { mode: 0o700 })
  let keeps = false
  return {
    ...folders,
    keepLogs: () => (keeps = true),
    [Symbol.asyncDispose]: async () => removeExcept(root, keeps ? 'logs' : undefined),
  }
}

async function requireRoom(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir())
  if (bavail * bsize >= bytes) return
  throw new DemoFailed(
    `${tmpdir()} has ${formatBytes(bavail * bsize)} left, and the demo takes ${formatBytes(bytes)}`,
    ['Set TMPDIR to a folder with more room, or make it smaller: npm run demo -- --scale 0.3'],
  )
}

async function removeExcept(root: string, kept: string | undefined): Promise<void> {
  const doomed = kept === undefined ? [root] : (await readdir(root)).filter((name) => name !== kept)
  // Absolute names stay what they are.
  await Promise.all(
    doomed.map((name) => rm(resolve(root, name), { recursive: true, force: true, maxRetries: 3 })),
  )
}
