import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { makePrivateFolder } from '#shared/data-dir.ts'
import { findServer } from '#shared/redis/binary.ts'
import { freePort } from '#shared/redis/free-port.ts'
import { startTimeOf } from '#shared/redis/process-identity.ts'
import { serverFiles } from '#shared/redis/server-files.ts'
import { launchServer, untilServing } from '#shared/redis/server-process.ts'

interface Options {
  readonly dataDir: string
  readonly cacheDir: string
  readonly log: (message: string) => void
}

export interface RedisServer {
  readonly url: string
  readonly password: string
  readonly pid: () => number
  /** Again at the same address, with what its append-only file has. */
  readonly start: () => Promise<void>
  /** Resolves when it is gone. */
  readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>
}

/** A server as the service starts it, on its own data, that stays away until it is started again. */
export async function openRedisServer({ dataDir, cacheDir, log }: Options): Promise<RedisServer> {
  const files = serverFiles(await makePrivateFolder(dataDir))
  await makePrivateFolder(files.dir)
  const binary = await findServer({ cacheDir, log })
  const credentials = { port: await freePort(), password: randomBytes(32).toString('hex') }
  let pid = 0
  const start = async (): Promise<void> => {
    pid = await launchServer(files, binary, { ...credentials, listenOnSocket: true })
    await untilServing(files, { ...credentials, pid, binary, log })
  }
  await start()
  // Should we ourselves come to an end that nobody foresaw.
  process.once('exit', () => signalIfThere(pid, 'SIGKILL'))
  return {
    url: `redis://:${credentials.password}@127.0.0.1:${credentials.port}`,
    password: credentials.password,
    pid: () => pid,
    start,
    end: async (signal) => {
      signalIfThere(pid, signal)
      while ((await startTimeOf(pid)) !== undefined) await sleep(10)
    },
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already.
  }
}
