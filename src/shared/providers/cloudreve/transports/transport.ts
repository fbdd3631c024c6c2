import type { Blob, Part, ReadTickets, Receipt, Slice } from '../../provider.ts'
import type { Work } from '../deps.ts'
import type { SessionState } from '../session.ts'

/** One chunk on its way, as the store shall get it: encrypted already, if the session asks for that. */
export interface Chunk {
  readonly state: SessionState
  readonly blob: Blob
  /** Numbered from 1; the site's index is one less. */
  readonly part: Part
  readonly body: Slice
  readonly tickets: ReadTickets
}

/** All chunks have their receipts. */
export interface Completing {
  readonly state: SessionState
  readonly blob: Blob
  /** In part order. */
  readonly receipts: readonly Receipt[]
  readonly tickets: ReadTickets
}

/** How one kind of storage policy takes the bytes of a session, and is told that they are all there. */
export interface Transport {
  /** Chunks go one after the other, whatever the site allows. */
  readonly inOrder?: true
  /** How long it may take until the site shows the file after all was sent, in ms; only some work behind its back. */
  readonly settlesWithinMs?: number
  /**
   * Sends one chunk; may be called twice for the same one. Throws `StartOver('session-lost')` when its session is
   * gone, `InOrder` when it came too early, `Blamed` when the chunk itself was refused or stored differently.
   */
  readonly sendChunk: (work: Work, chunk: Chunk) => Promise<Receipt>
  /** Has the store put the chunks together and the site told of it. May be called twice. */
  readonly complete?: (work: Work, completing: Completing) => Promise<void>
  /** Drops what the store holds of an unfinished session, where the site does not see to that. Best effort. */
  readonly abandon?: (work: Work, tickets: ReadTickets) => Promise<void>
}
