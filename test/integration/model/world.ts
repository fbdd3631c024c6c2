import { isEnded, isRunning } from '#shared/records/upload.ts'
import type { UploadState } from '#shared/records/upload.ts'

/** An upload as the documentation describes it, and nothing that could be worked out from the others. */
export interface Upload {
  readonly id: string
  readonly account: string
  readonly priority: number
  /** The name that it goes to, `<account>/<name>`; '' for one that goes to a place by its id. */
  readonly name: string
  /** Where it goes, unless it waits for its name. */
  place: string
  state: UploadState
  desired: 'run' | 'cancel'
  epoch: number
  rev: number
  run: number
  /** Its place in the order of acceptance; a retry is accepted anew. */
  seq: number
  isOverdue: boolean
  hasSession: boolean
  /** Of the current epoch: bytes by `<blob>/<number>`. */
  receipts: Map<string, number>
  /** Of the current epoch: which part comes next by blob, and which one each part was told to go on with. */
  chains: Map<string, number>
  claims: Map<string, number>
  sendings: Map<string, number>
  bytesResent: number
  blamed: Set<'failure' | 'restart'>
  /** What its name meant before it gave the name another meaning: a place, or null for none. */
  before: string | null | undefined
  /** Which process has which job in hand; which processes died so since the last progress. */
  readonly hands: Map<string, string>
  readonly dead: Set<string>
}

export interface Account {
  readonly most: number
  state: 'ready' | 'needs-login' | 'needs-2fa'
  isParked: boolean
}

/** All that there is. Lines, owners, indexes and counters are not kept: they follow from it. */
export interface World {
  readonly uploads: Map<string, Upload>
  readonly accounts: Map<string, Account>
  /** What names are bound to. */
  readonly names: Map<string, string>
  /** Places that are held for something other than an upload. */
  readonly held: Set<string>
  readonly idempotency: Map<string, { readonly id: string; readonly body: string }>
  /** Ids of the uploads whose versions are in the ledger of a place, newest first. */
  readonly ledger: Map<string, string[]>
  accepted: number
}

export const createWorld = (): World => ({
  uploads: new Map(),
  accounts: new Map(),
  names: new Map(),
  held: new Set(),
  idempotency: new Map(),
  ledger: new Map(),
  accepted: 0,
})

/** Stands for a name as long as that is bound to nothing. */
export const placeOfName = (name: string): string => `test/name/${name}`

/** Where a name leads. */
export const meaning = (world: World, name: string): string => world.names.get(name) ?? placeOfName(name)

/** Where an upload goes: who waits for a name goes where that leads, a session stays with its place. */
export const placeOf = (world: World, upload: Upload): string =>
  upload.state === 'queued' && upload.name !== '' && !upload.hasSession
    ? meaning(world, upload.name)
    : upload.place

export const uploadsOf = (world: World, is: (upload: Upload) => boolean): Upload[] =>
  [...world.uploads.values()].filter(is)

/** Everybody in line for a place: who runs there, then the others in the order of acceptance. */
export const lineOf = (world: World, place: string): Upload[] =>
  uploadsOf(world, (upload) => !isEnded(upload.state) && placeOf(world, upload) === place).toSorted(
    (a, b) => Number(isRunning(b.state)) - Number(isRunning(a.state)) || a.seq - b.seq,
  )

export const activeOf = (world: World, account: string): Upload[] =>
  uploadsOf(world, (upload) => upload.account === account && isRunning(upload.state))

/** Accepted, and its turn at its place has come: whom dispatch looks at, in its order. */
export const waitingOf = (world: World, account: string): Upload[] =>
  uploadsOf(
    world,
    (upload) =>
      upload.account === account &&
      upload.state === 'queued' &&
      lineOf(world, placeOf(world, upload))[0] === upload,
  ).toSorted((a, b) => a.priority - b.priority || a.seq - b.seq)

/** Whom dispatch may let run now, in its order. */
export function eligibleOf(world: World, id: string): Upload[] {
  const account = world.accounts.get(id)
  if (account === undefined || account.isParked || account.state !== 'ready') return []
  if (activeOf(world, id).length >= account.most) return []
  return waitingOf(world, id).filter((upload) => !world.held.has(placeOf(world, upload)))
}

/** Who owns a place. */
export const ownerOf = (world: World, place: string): string | null =>
  lineOf(world, place).find(({ state }) => isRunning(state))?.id ?? (world.held.has(place) ? HOLDER : null)

/** Ledger entries kept per place. */
export const LEDGER_CAP = 3

/** Who holds a place that is held for something else. */
export const HOLDER = 'deleting'

export const bytesOf = ({ receipts }: Upload): number =>
  [...receipts.values()].reduce((sum, bytes) => sum + bytes, 0)

/** Places that are known by what is there, */
export const REMOTE_PLACES = ['test/r1', 'test/r2', 'test/r3']
/** and all others that an upload may ask for, */
export const PLACES = ['p', ...REMOTE_PLACES]
/** and names, of each account its own. */
export const NAMES = ['n']
