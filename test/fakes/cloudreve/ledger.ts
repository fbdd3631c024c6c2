import { type LedgerEntry as Entry, type Phase, createLedger } from '../http/ledger.ts'
import type { StoreKind } from './stores/store.ts'

export const siteOperations = [
  'login',
  'captcha',
  'twoFactor',
  'refresh',
  'logout',
  'ping',
  'config',
  'prepare',
  'createSession',
  'deleteSession',
  'sendChunk',
  'putContent',
  'list',
  'info',
  'createFile',
  'setVersion',
  'deleteVersion',
  'deleteFile',
  'downloadUrl',
  'download',
  'capacity',
  'callback',
  'unlock',
  'unknown',
] as const

export type SiteOperation = (typeof siteOperations)[number]

/** What came to a store, such as `s3.putPart`. */
export type StoreOperation = `${StoreKind}.${string}`

export type Operation = SiteOperation | StoreOperation

export interface Target {
  operation: Operation
  /** The upload session, when the request names one. */
  sessionId: string | undefined
  /** The file that the request is about, normalised. */
  uri: string | undefined
  /** From 0. */
  chunkIndex: number | undefined
}

export interface LedgerEntry extends Target, Omit<Entry, 'operation'> {
  /** Of the envelope that was decided on; undefined for what has none. */
  code: number | undefined
}

export interface HookEvent extends Target {
  phase: Phase
  sequence: number
  /** Email address. */
  user: string | undefined
}

export const createCloudreveLedger = () =>
  createLedger<LedgerEntry>((heading, filled) => ({ ...heading, ...filled }))

/** What hooks are told of a request. */
export function eventOf(entry: LedgerEntry, phase: Phase): HookEvent {
  const { operation, sequence, user, sessionId, uri, chunkIndex } = entry
  return { operation, phase, sequence, user, sessionId, uri, chunkIndex }
}
