/** What Redis answers when it takes a command from nobody for now, and what a person can do about it. */
const REASONS: Readonly<Record<string, string>> = {
  OOM: 'it has used up its memory (maxmemory): give it more',
  MISCONF: 'it can not write to its disk: free space there, its log says more',
  READONLY: 'it is a read-only replica: that ends with the failover, else use the address of the primary',
  NOREPLICAS: 'too few replicas are connected (min-replicas-to-write)',
  MASTERDOWN: 'it is a replica that lost its primary',
  LOADING: 'it is loading its data',
  BUSY: 'a script keeps it busy',
  CLUSTERDOWN: 'its cluster is down',
  TRYAGAIN: 'its cluster is being moved about',
}

// Up to 6.2, what stopped a script stands at the end of a message of its own.
const REFUSAL = new RegExp(`^(?:ERR Error running script .*: -)?(${Object.keys(REASONS).join('|')}) `)
// What waited in a blocking read when its server became a replica.
const SENT_AWAY = /^UNBLOCKED force unblock/

export interface Refusal {
  /** As Redis calls it, such as `OOM`. */
  readonly code: string
  /** In words, with what to do. Holds nothing of the command. */
  readonly reason: string
}

/** Why Redis refused a command, if it refuses it for now whatever it says. Nothing of it was done then. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined
  const code = SENT_AWAY.test(error.message) ? 'READONLY' : REFUSAL.exec(error.message)?.[1]
  const reason = code === undefined ? undefined : REASONS[code]
  if (code === undefined || reason === undefined) return undefined
  return { code, reason }
}
