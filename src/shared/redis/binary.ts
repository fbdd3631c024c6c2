import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { type UnpackOptions, unpackServer } from './apt.ts'
import { type Candidate, type ServerBinary, checked } from './server-binary.ts'

const execute = promisify(execFile)

// Valkey first: the same thing under a licence that Debian 13 and others still ship.
const serverNames = ['valkey-server', 'redis-server']

/** A server of at least 6.2 that runs here: the one on PATH, else one from the system's package archive. */
export async function findServer({ cacheDir, log }: UnpackOptions): Promise<ServerBinary> {
  const refusals: string[] = []
  for (const find of [
    ...serverNames.map((name) => () => onPath(name)),
    () => unpackServer({ cacheDir, log }),
  ]) {
    try {
      return await checked(await find())
    } catch (error) {
      refusals.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(noServer(refusals))
}

async function onPath(name: string): Promise<Candidate> {
  try {
    const { stdout } = await execute('sh', ['-c', `command -v ${name}`], { timeout: 10_000 })
    return { path: stdout.trim(), env: {} }
  } catch {
    throw new Error(`there is no ${name} on PATH`)
  }
}

function noServer(refusals: readonly string[]): string {
  return [
    'Stevedore needs a Redis or Valkey server and found none:',
    ...refusals.map((refusal) => `  - ${refusal}`),
    'Any one of these will do:',
    '  1. Install one: `apt install valkey-server` or `redis-server`, `dnf install valkey`, `brew install valkey`',
    '  2. Run one in a container: `docker compose up -d redis`, then set REDIS_URL=redis://127.0.0.1:6379',
    '  3. Set REDIS_URL to a server you already have (6.2 or later, AOF on, maxmemory-policy noeviction)',
  ].join('\n')
}
