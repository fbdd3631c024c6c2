import { isEnded } from '#shared/records/upload.ts'
import type { UploadState } from '#shared/records/upload.ts'
import { bytesOf, LEDGER_CAP, ownerOf } from './world.ts'
import type { Upload, World } from './world.ts'

/** What a worker read of an upload: its right to change it. */
export interface Read {
  readonly epoch: number
  readonly rev: number
  readonly run: number
}

/** What a step may do to the record. */
export interface Change {
  readonly state?: UploadState
  readonly newEpoch?: true
  readonly session?: boolean
  /** Bytes were read back and differ: what is at the place is not ours to take back. */
  readonly isWrong?: true
  readonly isInLedger?: true
}

/** False when the caller's reading is out of date. */
export function transition(world: World, upload: Upload | undefined, read: Read, change: Change): boolean {
  if (upload === undefined || !isCurrent(upload, read)) return false
  // The last accepted command wins: who wants it to fail has not seen the cancel.
  if (change.state === 'failed' && upload.desired === 'cancel') return false
  upload.rev += 1
  if (change.newEpoch) forgetEpoch(upload, upload.epoch + 1)
  if (change.session !== undefined) upload.hasSession = change.session
  if (change.isInLedger) addToLedger(world, upload)
  if (change.state !== undefined) enter(world, upload, change)
  return true
}

function enter(world: World, upload: Upload, { state = upload.state, isWrong }: Change): void {
  // A step forward is progress.
  if (state !== upload.state) upload.dead.clear()
  upload.state = state
  if (!isEnded(state)) return
  upload.hands.clear()
  // It ended as it ended: nothing that was said meanwhile counts.
  upload.blamed.clear()
  const isBad = state === 'failed' || state === 'cancelled'
  if (!isBad) upload.before = undefined
  if (isBad && !isWrong && !upload.hasSession) unbind(world, upload)
}

const isCurrent = ({ state, epoch, rev }: Upload, read: Read): boolean =>
  !isEnded(state) && epoch === read.epoch && rev === read.rev

function addToLedger(world: World, { account, place, id }: Upload): void {
  const key = `${account}:${place}`
  world.ledger.set(key, [id, ...(world.ledger.get(key) ?? [])].slice(0, LEDGER_CAP))
}

/** The place that it made for its name is gone with it: the name means again what it meant before. */
function unbind(world: World, { name, place, before }: Upload): void {
  if (before === undefined || world.names.get(name) !== place) return
  if (before === null) world.names.delete(name)
  else world.names.set(name, before)
}

/** Another place, and what the name of the upload means from now on. */
export function bind(world: World, upload: Upload | undefined, read: Read, to: string): boolean | 'taken' {
  if (upload === undefined || !isCurrent(upload, read)) return false
  const owner = ownerOf(world, to)
  if (owner !== null && owner !== upload.id) return 'taken'
  upload.place = to
  upload.rev += 1
  if (upload.name === '') return true
  if (upload.before === undefined) upload.before = world.names.get(upload.name) ?? null
  world.names.set(upload.name, to)
  return true
}

/** What was sent for it is not part of it any more. */
export function forgetEpoch(upload: Upload, next: number): void {
  upload.bytesResent += bytesOf(upload)
  upload.epoch = next
  for (const known of [upload.receipts, upload.chains, upload.claims, upload.sendings, upload.blamed]) {
    known.clear()
  }
}
