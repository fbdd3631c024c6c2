import { isEnded } from '#shared/records/upload.ts'
import type { UploadState } from '#shared/records/upload.ts'
import { forgetEpoch } from './change-rules.ts'
import { eligibleOf, placeOf } from './world.ts'
import type { World } from './world.ts'
import type { Upload } from './world.ts'

/** What is asked for. */
export interface NewModelUpload {
  readonly id: string
  readonly account: string
  readonly priority: number
  readonly name: string
  readonly place: string
  readonly key: string
  readonly body: string
}

type Accepted = { readonly kind: string; readonly id: string } | { readonly kind: 'no-account' }

/** Takes an upload in, or answers what an earlier request made. */
export function accept(world: World, wanted: NewModelUpload): Accepted {
  const { id, account, priority, name, place, key, body } = wanted
  const known = world.idempotency.get(key)
  // A key lives no longer than what it stands for.
  if (key !== '' && known !== undefined && world.uploads.has(known.id)) {
    return { kind: known.body === body ? 'repeated' : 'conflict', id: known.id }
  }
  if (!world.accounts.has(account)) return { kind: 'no-account' }
  if (world.uploads.has(id)) return { kind: 'accepted', id }
  if (key !== '') world.idempotency.set(key, { id, body })
  world.uploads.set(id, {
    id,
    account,
    priority,
    name,
    place,
    state: 'queued',
    desired: 'run',
    epoch: 1,
    rev: 1,
    run: 0,
    seq: nextSeq(world),
    isOverdue: false,
    hasSession: false,
    receipts: new Map(),
    chains: new Map(),
    claims: new Map(),
    sendings: new Map(),
    bytesResent: 0,
    blamed: new Set(),
    before: undefined,
    hands: new Map(),
    dead: new Set(),
  })
  return { kind: 'accepted', id }
}

function nextSeq(world: World): number {
  world.accepted += 1
  return world.accepted
}

/** Lets those run whom dispatch chose. Throws unless they are whom it had to choose, in a fair order. */
export function dispatch(world: World, most: number, chosen: readonly string[]): void {
  const served = new Map<string, number>()
  for (const id of chosen) start(world, id, served)
  const left = readyIn(world)
  if (chosen.length > most) throw new Error(`${chosen.length} started, ${most} were asked for`)
  if (chosen.length < most && left.length > 0) throw new Error(`${left.join(', ')} had to wait`)
}

const readyIn = (world: World): string[] =>
  [...world.accounts.keys()].filter((id) => eligibleOf(world, id).length > 0)

function start(world: World, id: string, served: Map<string, number>): void {
  const servedOf = (account: string): number => served.get(account) ?? 0
  const upload = world.uploads.get(id)
  const account = upload?.account ?? ''
  if (upload === undefined || eligibleOf(world, account)[0] !== upload) throw new Error(`${id} was not next`)
  const fewest = Math.min(...readyIn(world).map(servedOf))
  if (servedOf(account) > fewest) throw new Error(`${account} was served again before others were`)
  served.set(account, servedOf(account) + 1)
  Object.assign(upload, { place: placeOf(world, upload), state: 'preparing' })
  upload.rev += 1
  upload.run += 1
}

/** A person wants it to end. */
export function cancel(upload: Upload): string {
  if (isEnded(upload.state)) return 'ended'
  upload.desired = 'cancel'
  // With a session there is something to clean up: that is for a worker.
  if (upload.state === 'queued' && !upload.hasSession) endQueued(upload, 'cancelled')
  return 'ok'
}

/** A person wants it to be tried again. */
export function retry(world: World, upload: Upload): string {
  if (!isEnded(upload.state)) return 'not-ended'
  if (upload.state === 'completed' || upload.state === 'skipped') return 'ended'
  if (!world.accounts.has(upload.account)) return 'no-account'
  // A session is kept by who may be complete after all: then its receipts are, too.
  if (!upload.hasSession) forgetEpoch(upload, upload.epoch + 1)
  upload.blamed.clear()
  upload.dead.clear()
  Object.assign(upload, { state: 'queued', desired: 'run', isOverdue: false, before: undefined })
  upload.seq = nextSeq(world)
  upload.rev += 1
  return 'ok'
}

/** Its time is over while it waits for its turn. */
export function expire(upload: Upload): void {
  if (upload.state !== 'queued' || !upload.isOverdue) return
  endQueued(upload, upload.desired === 'cancel' ? 'cancelled' : 'failed')
}

function endQueued(upload: Upload, state: UploadState): void {
  upload.state = state
  upload.rev += 1
  upload.hands.clear()
  upload.dead.clear()
}

/** An account can be removed when nothing of it is open; its names mean nothing any more. */
export function removeAccount(world: World, account: string): number {
  const open = [...world.uploads.values()].filter((one) => one.account === account && !isEnded(one.state))
  if (open.length > 0) return open.length
  world.accounts.delete(account)
  for (const name of world.names.keys()) if (name.startsWith(`${account}/`)) world.names.delete(name)
  return 0
}
