import type { IncomingHttpHeaders } from 'node:http'
import type { Exchange, Outcome } from '../../http/exchange.ts'
import type { Faults } from '../../http/faults.ts'
import type { Hooks } from '../../http/ledger.ts'
import type { Reply } from '../../http/replies.ts'
import type { FaultRule } from '../faults.ts'
import type { HookEvent, LedgerEntry, StoreOperation } from '../ledger.ts'
import type { Store } from './store.ts'

export type StoreExchange = Exchange<LedgerEntry>

/** What the head of a request says; nothing of its body is there yet. */
export interface RequestHead {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingHttpHeaders
}

export interface StoreTarget {
  readonly operation: StoreOperation
  /** User and uri are written into the ledger by it. */
  readonly sessionId?: string | undefined
  /** From 0, whatever the store counts from. */
  readonly chunkIndex?: number | undefined
}

/** How a store's own server answers. */
export interface StoreServer {
  /** 0, the default, takes any free port. */
  readonly port?: number
  readonly targetOf: (head: RequestHead) => StoreTarget
  /** May throw a Refusal; the fault, if any but the etag and store ones, is seen to by the host. */
  readonly process: (exchange: StoreExchange) => Promise<Outcome>
  /** The answer of a `status` fault that brings no body of its own. */
  readonly faultReply: (status: number) => Reply
}

export interface OpenServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40001`. */
  readonly origin: string
}

/** What the site gives its stores: one ledger, one list of violations and one set of faults for all. */
export interface StoreHost {
  /** The site's origin; callback addresses come whole with each opening. */
  readonly siteOrigin: string
  /** Where files may be kept, in a folder of their own. */
  readonly directory: string
  /** False digests what comes and forgets it: for benches. */
  readonly keepContent: boolean
  /** How long Upyun takes from the last byte to its notification. */
  readonly upyunDelayMs: number
  readonly ledger: readonly LedgerEntry[]
  readonly faults: Faults<FaultRule>
  /** What the client did against the protocol, one sentence each. */
  readonly violations: string[]
  readonly hooks: Hooks<HookEvent>
  /** ms since 1970, on the clock that upload sessions expire by: it may run ahead of the real one. */
  readonly now: () => number
  /** Aborted when the fake is about to end. */
  readonly closing: AbortSignal
  /** Opens an http server on 127.0.0.1, each request an exchange with ledger entry, fault and hooks. */
  readonly serve: (server: StoreServer) => Promise<OpenServer>
}

/** Starts the stores of one site. The site disposes of each. */
export type OpenStores = (host: StoreHost) => Promise<readonly Store[]>
