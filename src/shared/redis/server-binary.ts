import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface ServerBinary {
  readonly path: string
  readonly version: string
  /** All that the server needs in its environment; nothing of ours is handed on to it. */
  readonly env: Readonly<Record<string, string>>
}

/** Where a program is, and what it needs to run, before it was seen running. */
export type Candidate = Omit<ServerBinary, 'version'>

/** Runs the candidate once; throws when it does not run here or is too old for us. */
export async function checked(candidate: Candidate): Promise<ServerBinary> {
  const { stdout } = await execute(candidate.path, ['--version'], { env: candidate.env, timeout: 10_000 })
  const version = /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`${candidate.path} does not say which version it is`)
  if (!isRecent(version)) throw new Error(`${candidate.path} is ${version}; 6.2 or later is needed`)
  return { ...candidate, version }
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 2)
}
