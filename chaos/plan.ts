import { seededRandom } from '../test/fakes/seeded-random.ts'
import { planFaults } from './faults.ts'
import type { PlannedFault } from './faults.ts'
import type { Flags } from './flags.ts'

/** Bytes. Small, so that many parts are little work. */
export const PART_SIZE = 64 * 1024
export const ACCOUNTS = ['ada', 'bea', 'cyd'] as const
export const WORKERS = ['worker 1', 'worker 2'] as const
/** What the chaos sets for each account; nobody else is at the other end. */
export const LIMITS = { maxActiveUploads: 6, partsAtOnce: 3, callsAtOnce: 3, callSpacingMs: 0 }

export type Victim = (typeof WORKERS)[number] | 'serve' | 'redis'

export interface PlannedUpload {
  /** From 0, in the order in which they are handed in. */
  readonly index: number
  readonly fileName: string
  /** Bytes. */
  readonly size: number
  readonly account: string
  /** Name of the place. Some are shared: later uploads there are its later versions. */
  readonly destination: string
  /** Asked for once more after it was accepted, as somebody would who never got the answer. */
  readonly isAskedTwice: boolean
}

export interface PlannedKill {
  readonly kind: string
  readonly victims: readonly Victim[]
  /** After the victims of the kill before run again. */
  readonly pauseMs: number
  /** How long they stay away. */
  readonly downMs: number
}

export interface Plan {
  readonly seed: number
  readonly uploads: readonly PlannedUpload[]
  readonly kills: readonly PlannedKill[]
  readonly faults: readonly PlannedFault[]
}

/**
 * What the seed decides: sizes, accounts, destinations, the order of kills and the pauses between them, and
 * which of the requests that match a rule get its fault. What it can not: which request comes when.
 */
export function makePlan(flags: Flags): Plan {
  // Of their own, so that one more upload leaves the kills as they are.
  const [forUploads, forKills] = [seededRandom(flags.seed), seededRandom(flags.seed + 1_000_003)]
  return {
    seed: flags.seed,
    uploads: Array.from({ length: flags.uploads }, (_, index) => planUpload(index, forUploads)),
    kills: planKills(flags.kills, forKills),
    faults: planFaults(flags),
  }
}

type Random = () => number

const oneOf = <T>(items: readonly [T, ...T[]], random: Random): T =>
  items[Math.floor(random() * items.length)] ?? items[0]

const names = ['world.vrcw', 'höhle-洞窟.vrca', 'spaces & signs %.vrcw'] as const
const SHARED_PER_ACCOUNT = 2
const SHARED_FRACTION = 0.3

function planUpload(index: number, random: Random): PlannedUpload {
  const fileName = `${index} ${oneOf(names, random)}`
  const isShared = random() < SHARED_FRACTION
  const place = Math.floor(random() * SHARED_PER_ACCOUNT)
  return {
    index,
    fileName,
    size: planSize(random),
    account: oneOf(ACCOUNTS, random),
    destination: isShared ? `shared ${place}` : fileName,
    isAskedTwice: random() < 0.1,
  }
}

const edges = [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE, 3 * PART_SIZE + 1] as const

/** A quarter at the sizes where something may go wrong; of the others most are small, and few have many parts. */
function planSize(random: Random): number {
  const kind = random()
  const uniform = random()
  if (kind < 0.25) return oneOf(edges, () => uniform)
  if (kind < 0.75) return Math.floor(uniform * 6 * PART_SIZE)
  if (kind < 0.95) return Math.floor((6 + uniform * 10) * PART_SIZE)
  return Math.floor((16 + uniform * 24) * PART_SIZE)
}

const [first, second] = WORKERS
const kinds = [
  { kind: 'worker', victims: [first] },
  { kind: 'worker', victims: [second] },
  { kind: 'redis', victims: ['redis'] },
  { kind: 'serve', victims: ['serve'] },
  { kind: 'both workers', victims: [first, second] },
  { kind: 'all', victims: [first, second, 'serve', 'redis'] },
] as const satisfies readonly Pick<PlannedKill, 'kind' | 'victims'>[]
// Workers and Redis have something in their hands more often than serve.
const [worker1, worker2, redis] = kinds
const drawn = [worker1, worker2, redis, ...kinds] as const

/** Every kind comes once, in any order, before the rest is drawn. */
function planKills(count: number, random: Random): PlannedKill[] {
  const deck = kinds.map((kind) => ({ kind, at: random() })).toSorted((a, b) => a.at - b.at)
  return Array.from({ length: count }, (_, index) => ({
    ...(deck[index]?.kind ?? oneOf(drawn, random)),
    // Mostly short, sometimes long enough to recover from all that came before.
    pauseMs: Math.round(200 + 5000 * random() ** 2),
    downMs: Math.round(2500 * random() ** 2),
  }))
}
