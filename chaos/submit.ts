import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan, PlannedUpload } from './plan.ts'
import { makeSource } from './sources.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'

/** An upload that the service has accepted. */
export interface Accepted {
  readonly planned: PlannedUpload
  readonly id: string
  /** What the second request with the same key was answered, if there was one. */
  readonly secondId: string | undefined
  /** Hex, of the source. */
  readonly sha256: string
}

interface Options {
  readonly plan: Plan
  readonly stage: Stage
  readonly service: Service
  readonly sources: string
  /** How many of the kills are over, 0 to 1. */
  readonly killed: () => number
  readonly onAccepted: (accepted: Accepted) => void
}

// So there is something to be killed over from the first kill to the last.
const AHEAD = 0.2
const LOOK_MS = 50

/** Hands the uploads in: one after the other for each account, no faster than the kills go on. */
export async function submit(options: Options): Promise<void> {
  const lanes = Map.groupBy(options.plan.uploads, ({ account }) => account)
  await Promise.all([...lanes.values()].map(async (lane) => submitInOrder(lane, options)))
}

/** Each is accepted before the next is asked for, so their order is known. */
async function submitInOrder(lane: readonly PlannedUpload[], options: Options): Promise<void> {
  const { plan, stage, service, sources, killed, onAccepted } = options
  for (const planned of lane) {
    while (planned.index / plan.uploads.length > AHEAD + killed()) await sleep(LOOK_MS, undefined, stage)
    const { path, sha256 } = await makeSource(sources, plan.seed, planned)
    const id = await service.accept(path, planned, plan.seed)
    const secondId = planned.isAskedTwice ? await service.accept(path, planned, plan.seed) : undefined
    onAccepted({ planned, id, secondId, sha256 })
  }
}
