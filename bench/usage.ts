import { readFile } from 'node:fs/promises'

/** What some processes took between two moments. */
export interface Usage {
  readonly wallMs: number
  /** CPU of each group, user and system, of all threads and of children that have ended. */
  readonly cpuMs: Readonly<Record<string, number>>
}

// What the kernel counts in, whatever its own clock does: USER_HZ is 100 wherever Node runs.
const TICK_MS = 10

/** Starts to measure; the answer ends it. All processes must live until then. */
export async function startMeter(
  groups: Readonly<Record<string, readonly number[]>>,
): Promise<() => Promise<Usage>> {
  const read = async () =>
    Promise.all(
      Object.entries(groups).map(async ([name, pids]) => {
        const all = await Promise.all(pids.map(cpuOf))
        return [name, all.reduce((sum, ms) => sum + ms, 0)] as const
      }),
    )
  const before = Object.fromEntries(await read())
  const began = performance.now()
  return async () => {
    const wallMs = performance.now() - began
    const cpuMs = (await read()).map(([name, ms]) => [name, ms - (before[name] ?? 0)] as const)
    return { wallMs, cpuMs: Object.fromEntries(cpuMs) }
  }
}

/** CPU of a process since it began, in ms, to the next 10. */
async function cpuOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name, in parentheses, may hold anything; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0)
}

/** The most memory that a process had at a time, in bytes. */
export async function peakMemoryOf(pid: number | 'self'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
