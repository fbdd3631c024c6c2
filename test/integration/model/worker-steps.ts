import { expect } from 'vitest'
import { Stale } from '#shared/records/changes.ts'
import { isEnded } from '#shared/records/upload.ts'
import type { UploadRecord, UploadState } from '#shared/records/upload.ts'
import { bind, transition } from './change-rules.ts'
import { moves, movesOf } from './moves.ts'
import type { Move } from './moves.ts'
import type { Chance, Stage, Step, Worker } from './stage.ts'
import { REMOTE_PLACES } from './world.ts'

/** More often one that knows how things are: the others soon can do nothing any more. */
export function anyWorker(
  { workers, world }: Stage,
  chance: Chance,
  state?: UploadState,
): Worker | undefined {
  const able = workers.filter(({ record }) => (state ?? record.state) === record.state)
  const current = able.filter(({ record }) => world.uploads.get(record.id)?.rev === record.rev)
  return chance.of([...able, ...[1, 2, 3, 4].flatMap(() => current)])
}

/** A step of an orchestrator, by what it read last. With a lost reply it does not learn that it was done. */
export const move: Step = async (stage, chance) => {
  const worker = anyWorker(stage, chance)
  const name = worker && chance.of(movesOf(worker.record))
  if (name === undefined || worker === undefined) return undefined
  const { patch, also, change }: Move = moves[name]
  const { record } = worker
  const after = await unlessStale(stage.real.uploads.transition(record, patch(record), also?.(record)))
  const isDone = transition(stage.world, stage.world.uploads.get(record.id), record, change)
  expect(after !== 'stale', `${name} of ${record.id} by ${worker.instance}`).toBe(isDone)
  if (name === 'open' && isDone) stage.sessions.push({ id: record.id, epoch: record.epoch })
  if (!chance.isLost) await learn(stage, worker, after)
  const known = chance.isLost ? 'unawares' : 'done'
  return `${said(worker)} ${name}: ${isDone ? known : 'stale'}`
}

/** Prepare found or made the place that the upload goes to. */
export const bindPlace: Step = async (stage, chance) => {
  const worker = anyWorker(stage, chance, 'preparing')
  const to = chance.of(REMOTE_PLACES) ?? ''
  if (worker === undefined) return undefined
  const { record } = worker
  const remote = { key: to, remoteId: to }
  const after = await unlessStale(stage.real.uploads.bind(record, { to }, remote))
  const isDone = bind(stage.world, stage.world.uploads.get(record.id), record, to)
  expect(typeof after === 'string' ? after : 'bound').toBe(
    isDone === true ? 'bound' : isDone === false ? 'stale' : isDone,
  )
  if (after !== 'taken' && !chance.isLost) await learn(stage, worker, after)
  return `${said(worker)} bind to ${to}: ${typeof after === 'string' ? after : 'done'}`
}

/** What it now has; a worker that was refused reads again, and has nothing to do when there is nothing. */
async function learn(stage: Stage, worker: Worker, after: UploadRecord | 'stale'): Promise<void> {
  const record = after === 'stale' ? await stage.real.uploads.read(worker.record.id) : after
  if (record === undefined || isEnded(record.state))
    stage.workers = stage.workers.filter((other) => other !== worker)
  else worker.record = record
}

async function unlessStale<T>(change: Promise<T>): Promise<T | 'stale'> {
  try {
    return await change
  } catch (error) {
    if (error instanceof Stale) return 'stale'
    throw error
  }
}

/** Who acts, and what it has read. */
export const said = ({ instance, record: { id, state, epoch, rev } }: Worker): string =>
  `${instance} (has ${id} ${state}, epoch ${epoch}, rev ${rev})`
