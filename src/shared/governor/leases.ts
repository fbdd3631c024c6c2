import type { RunScript } from '../records/scripts.ts'

export type LeaseKind = 'calls' | 'parts'

export interface Lease {
  readonly account: string
  readonly kind: LeaseKind
  readonly member: string
}

/** Keeps this process's leases alive. One that dies loses them within `leaseMs`. */
export function createLeases({ run, leaseMs }: { run: RunScript; leaseMs: number }) {
  const held = new Set<Lease>()
  const timer = setInterval(() => {
    if (held.size === 0) return
    const flat = [...held].flatMap(({ account, kind, member }) => [account, kind, member])
    // A lease that can not be renewed expires; whoever gets it next finds the receipts of what was done.
    run('renew', leaseMs, ...flat).catch(() => undefined)
  }, leaseMs / 3)
  timer.unref()

  return {
    leaseMs,
    hold: (lease: Lease): void => void held.add(lease),
    drop: (lease: Lease): void => void held.delete(lease),
    [Symbol.dispose]: (): void => clearInterval(timer),
  }
}

export type Leases = ReturnType<typeof createLeases>
