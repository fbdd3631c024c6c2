import type { IncomingHttpHeaders } from 'node:http'

/** What is written down of every request, whatever it was for. */
export interface LedgerEntry {
  /** What the request was for, in the words of the fake that it came to. */
  operation: string
  /** From 1, in order of arrival over all servers of one fake. */
  sequence: number
  time: number
  endedAt: number | undefined
  method: string
  /** Without the query. */
  path: string
  rawUrl: string
  headers: IncomingHttpHeaders
  user: string | undefined
  /** Bytes of the request body that arrived, also when it was cut or refused. */
  bytes: number
  /** What the handler decided; `status` may differ when a fault or a disconnect came between. */
  decided: number | undefined
  /** What the client was answered; `none` while nothing was, or for good. */
  status: number | 'none'
  fault: string | undefined
}

/** What the ledger fills in by itself. */
type Filled = 'sequence' | 'time' | 'endedAt' | 'bytes' | 'decided' | 'status' | 'fault'

export interface Ledger<Entry extends LedgerEntry> {
  entries: Entry[]
  /** Writes down a request that just arrived. */
  open: (heading: Omit<Entry, Filled>) => Entry
}

/** Every request in order of arrival; `complete` joins what is known of one with what the ledger adds. */
export function createLedger<Entry extends LedgerEntry>(
  complete: (heading: Omit<Entry, Filled>, filled: Pick<LedgerEntry, Filled>) => Entry,
): Ledger<Entry> {
  const entries: Entry[] = []
  return {
    entries,
    open: (heading) => {
      const entry = complete(heading, {
        sequence: entries.length + 1,
        time: Date.now(),
        endedAt: undefined,
        bytes: 0,
        decided: undefined,
        status: 'none',
        fault: undefined,
      })
      entries.push(entry)
      return entry
    },
  }
}

/** Where a request is on its way, as hooks are told. */
export type Phase = 'arrival' | 'before-reply' | 'after-reply'

export interface Hooks<Event> {
  /** Awaited: nothing goes on with this request until it settles. */
  onRequest?: (event: Event) => void | Promise<void>
}
