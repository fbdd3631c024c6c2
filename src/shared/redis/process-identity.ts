import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/**
 * When the process started, in the system's own words; undefined when there is none. Tells a process from a
 * later one that was given the same id. A zombie is none: it serves nobody and only waits to be collected.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid)
}

async function fromProc(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The second field is the program's name and may hold anything, spaces and parentheses too.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startTime] = [fields?.[0], fields?.[19]]
  return state === 'Z' || state === 'X' ? undefined : startTime
}

async function fromPs(pid: number): Promise<string | undefined> {
  const ps = promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { timeout: 5_000 })
  const line = await ps.then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  const [state = 'Z', ...startTime] = line.split(/\s+/)
  return state === '' || state.startsWith('Z') ? undefined : startTime.join(' ')
}
