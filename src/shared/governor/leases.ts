import type { RunScript } from '../records/scripts.ts'

export type LeaseKind = 'calls' | 'parts'

export interface Lease {
  readonly account: string
  readonly kind: LeaseKind
  readonly member: string
}

/** How long a lease may wait for the next of its account to be given back together with its request. */
const RETURN_WITHIN_MS = 5

/** Keeps this process's leases alive. One that dies loses them within `leaseMs`. */
export function createLeases({ run, leaseMs }: { run: RunScript; leaseMs: number }) {
  const held = new Set<Lease>()
  const returns = createReturns(run)
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
    /** Gives back soon what went well: mostly with the next request for one, which saves a round trip. */
    giveBack: returns.add,
    /** The members to give back with a request for this account. */
    takeReturned: returns.take,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      clearInterval(timer)
      await returns.flush()
    },
  }
}

export type Leases = ReturnType<typeof createLeases>

type Line = Pick<Lease, 'account' | 'kind'>

function createReturns(run: RunScript) {
  const waiting = new Map<string, { readonly line: Line; readonly members: string[] }>()
  let timer: NodeJS.Timeout | undefined

  const flush = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const all = [...waiting.values()]
    waiting.clear()
    // One that can not be given back expires.
    await Promise.allSettled(
      all.map(async ({ line, members }) => run('settle', line.account, line.kind, 'ok', 0, ...members)),
    )
  }

  return {
    add: ({ account, kind, member }: Lease): void => {
      const line = `${account}/${kind}`
      const entry = waiting.get(line) ?? { line: { account, kind }, members: [] }
      waiting.set(line, entry)
      entry.members.push(member)
      timer ??= setTimeout(() => void flush(), RETURN_WITHIN_MS)
    },
    take: ({ account, kind }: Line): readonly string[] => {
      const line = `${account}/${kind}`
      const members = waiting.get(line)?.members ?? []
      waiting.delete(line)
      return members
    },
    flush,
  }
}
