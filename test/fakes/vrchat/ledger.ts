import type { IncomingHttpHeaders } from 'node:http'

export const operations = [
  'login',
  'currentUser',
  'checkAuth',
  'verifyTotp',
  'verifyRecovery',
  'verifyEmailOtp',
  'logout',
  'createFile',
  'getFile',
  'getFiles',
  'createFileVersion',
  'startFileDataUpload',
  'finishFileDataUpload',
  'getFileDataUploadStatus',
  'deleteFileVersion',
  'deleteFile',
  'downloadFileVersion',
  'putPart',
  'getObject',
  'unknown',
] as const

export type Operation = (typeof operations)[number]

export interface Target {
  operation: Operation
  fileId: string | undefined
  version: number | undefined
  fileType: string | undefined
  partNumber: number | undefined
}

export interface LedgerEntry extends Target {
  /** From 1, in order of arrival over both servers. */
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
  /** As sent to finish. */
  etags: unknown
}

export interface HookEvent extends Target {
  phase: 'arrival' | 'before-reply' | 'after-reply'
  sequence: number
  user: string | undefined
}

export interface Hooks {
  /** Awaited: nothing goes on with this request until it settles. */
  onRequest?: (event: HookEvent) => void | Promise<void>
}

export function createLedger(): { entries: LedgerEntry[]; open: (fields: OpenFields) => LedgerEntry } {
  const entries: LedgerEntry[] = []
  return {
    entries,
    open: (fields) => {
      const entry: LedgerEntry = {
        sequence: entries.length + 1,
        time: Date.now(),
        endedAt: undefined,
        bytes: 0,
        decided: undefined,
        status: 'none',
        fault: undefined,
        etags: undefined,
        ...fields,
      }
      entries.push(entry)
      return entry
    },
  }
}

type OpenFields = Target & Pick<LedgerEntry, 'method' | 'path' | 'rawUrl' | 'headers' | 'user'>
