import { isEnded } from '#shared/records/upload.ts'
import type { Read } from './change-rules.ts'
import type { Upload } from './world.ts'

export interface Part {
  readonly epoch: number
  readonly blob: string
  readonly number: number
}

/** Parts of every blob here. */
export const PARTS = 5

const fieldOf = ({ blob, number }: Part): string => `${blob}/${number}`

/** Takes a receipt once, and answers with which part to go on: always the same, and no other part is told it. */
export function save(upload: Upload | undefined, part: Part, bytes?: number): number | 'stale' {
  if (upload === undefined || upload.epoch !== part.epoch || upload.state !== 'transferring') return 'stale'
  const field = fieldOf(part)
  if (bytes !== undefined && !upload.receipts.has(field)) {
    upload.receipts.set(field, bytes)
    upload.dead.clear()
  }
  if (upload.desired === 'cancel' || upload.blamed.size > 0) return 0
  const claim = upload.claims.get(field) ?? nextOf(upload, part.blob)
  upload.claims.set(field, claim)
  return claim
}

function nextOf({ chains, receipts }: Upload, blob: string): number {
  for (let number = chains.get(blob) ?? PARTS + 1; number <= PARTS; number += 1) {
    if (receipts.has(`${blob}/${number}`)) continue
    chains.set(blob, number + 1)
    return number
  }
  chains.set(blob, PARTS + 1)
  return 0
}

export function openChain(upload: Upload | undefined, epoch: number, blob: string, next: number): void {
  if (upload?.epoch === epoch && !upload.chains.has(blob)) upload.chains.set(blob, next)
}

/** How many sendings of the part are open. */
export function countSending(upload: Upload | undefined, part: Part, by: 1 | -1): number {
  if (upload?.epoch !== part.epoch) return 0
  const open = (upload.sendings.get(fieldOf(part)) ?? 0) + by
  upload.sendings.set(fieldOf(part), open)
  return open
}

/** A part speaks for itself only: not when its upload is past it, or it has arrived by another run. */
export function blamePart(upload: Upload | undefined, part: Part, what: 'failure' | 'restart'): void {
  if (upload?.state !== 'transferring' || upload.epoch !== part.epoch) return
  if (!upload.receipts.has(fieldOf(part))) upload.blamed.add(what)
}

/** A step speaks for the run that it belongs to. */
export function blameRun(upload: Upload | undefined, read: Read, what: 'failure' | 'restart'): void {
  if (upload === undefined || upload.state === 'queued' || isEnded(upload.state)) return
  if (upload.epoch === read.epoch && upload.run === read.run) upload.blamed.add(what)
}

/** A job is in a process's hands; answers how many processes died with this upload's since the last progress. */
export function begin(upload: Upload | undefined, job: string, instance: string): number {
  if (upload === undefined) return 0
  const before = upload.hands.get(job)
  if (before !== undefined && before !== instance) upload.dead.add(before)
  if (!isEnded(upload.state)) upload.hands.set(job, instance)
  return upload.dead.size
}

export function done(upload: Upload | undefined, job: string, instance: string): void {
  if (upload?.hands.get(job) === instance) upload.hands.delete(job)
}
