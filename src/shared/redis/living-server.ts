import { setTimeout as sleep } from 'node:timers/promises'

import { startTimeOf } from './process-identity.ts'
import { type AnsweringServer, isAnswering, probeServer } from './probe.ts'
import {
  type Credentials,
  type SavedServer,
  type ServerFiles,
  readConfig,
  readSaved,
  withSocket,
  writeSaved,
} from './server-files.ts'

export interface LivingServer extends Credentials {
  readonly state: AnsweringServer
}

/**
 * The server that runs on this folder, if one does. Throws when one does that we cannot use: starting a
 * second on the same files would destroy them. Call it under the folder's lock.
 */
export async function findLiving(files: ServerFiles): Promise<LivingServer | undefined> {
  const saved = await readSaved(files)
  const known = [saved, await readConfig(files)].filter((credentials) => credentials !== undefined)
  const deadline = Date.now() + 10_000
  for (;;) {
    for (const credentials of known) {
      const state = await probeServer({ port: credentials.port }, credentials.password)
      if (isAnswering(state) && state.dir === files.dir)
        return await identified(files, { ...credentials, state })
    }
    const waiting = await mayStillAnswer(saved, deadline)
    if (waiting === undefined) break
    if (Date.now() > deadline) throw new Error(`${waiting}, but does not answer; see ${files.log}`)
    await sleep(100)
  }
  await refuseIfGuarded(files)
  return undefined
}

async function identified(files: ServerFiles, living: LivingServer): Promise<LivingServer> {
  const { port, password, state } = living
  const startTime = await startTimeOf(state.pid)
  if (startTime === undefined) {
    throw new Error(`The server on ${files.dir} is no process of this machine (another container's?)`)
  }
  await writeSaved(files, { port, password, process: { pid: state.pid, startTime } })
  return living
}

/** Says who is expected to answer soon: a server that was just started, is being stopped, or hangs. */
async function mayStillAnswer(saved: SavedServer | undefined, deadline: number): Promise<string | undefined> {
  if (saved === undefined) return undefined
  if (saved.process === undefined) {
    // Whoever started it was killed within the moment between starting it and noting its process.
    return Date.now() < deadline - 8_000 ? 'A Redis server was being started' : undefined
  }
  const { pid, startTime } = saved.process
  return (await startTimeOf(pid)) === startTime ? `The embedded Redis (process ${pid}) runs` : undefined
}

/** The socket in the folder answers for any server on it, also for one whose port and password were lost. */
async function refuseIfGuarded(files: ServerFiles): Promise<void> {
  const guard = await withSocket(files, async (path) => probeServer({ path }, 'unknown'))
  if (guard === undefined || guard.kind === 'absent') return
  throw new Error(
    `A Redis server runs on ${files.dir} (it listens on ${files.socket}), but not where ${files.saved} says, ` +
      'or with another password. Stop it, or use another data directory',
  )
}
