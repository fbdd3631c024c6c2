import { execFile } from 'node:child_process'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'

export interface OwnDataDir {
  readonly path: string
  /** Process ids of all Redis servers that run on it, whoever knows of them. */
  readonly servers: () => Promise<number[]>
}

/** A data directory of the test's own; its servers are ended and it is removed when the test is over. */
export async function ownDataDir(name = 'data'): Promise<OwnDataDir> {
  const parent = await realpath(await mkdtemp(join(tmpdir(), 'stevedore-embedded-')))
  const path = join(parent, name)
  const servers = () => serversOn(path)
  onTestFinished(async () => {
    for (const pid of await servers()) process.kill(pid, 'SIGKILL')
    while ((await servers()).length > 0) await sleep(10)
    await rm(parent, { recursive: true, force: true })
  })
  return { path, servers }
}

/** Process ids of all Redis servers that run on this data directory. */
export async function serversOn(path: string): Promise<number[]> {
  // The service writes each server's configuration beside its data, and its name stands in the arguments.
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-eo', 'pid=,stat=,args='])
  return stdout
    .split('\n')
    .filter((line) => line.includes(join(path, 'redis.conf')) && !/^\s*\d+ Z/.test(line))
    .map((line) => Number.parseInt(line, 10))
}
