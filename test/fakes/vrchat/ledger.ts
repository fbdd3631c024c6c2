import { type LedgerEntry as Entry, type Phase, createLedger } from '../http/ledger.ts'

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

export interface LedgerEntry extends Target, Omit<Entry, 'operation'> {
  /** As sent to finish. */
  etags: unknown
}

export interface HookEvent extends Target {
  phase: Phase
  sequence: number
  user: string | undefined
}

export const createVrchatLedger = () =>
  createLedger<LedgerEntry>((heading, filled) => ({ ...heading, ...filled }))
