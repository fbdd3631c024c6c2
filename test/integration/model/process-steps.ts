import { expect } from 'vitest'
import { begin, done } from './part-rules.ts'
import { dispatch } from './rules.ts'
import type { Step } from './stage.ts'
import { anyWorker } from './worker-steps.ts'

export const dispatchSome: Step = async ({ world, real }, chance) => {
  const most = chance.of([1, 2, 100]) ?? 1
  const started = await real.uploads.dispatch(most)
  const ids = started.map(({ id }) => id)
  dispatch(world, most, ids)
  expect(started.map(({ run }) => run)).toEqual(ids.map((id) => world.uploads.get(id)?.run))
  return `dispatch up to ${most}: ${ids.join(', ') || 'nothing'}.`
}

/** A worker gets the job of an upload that runs, also of one whose first worker is still at it, or is dead. */
export const takeJob: Step = async (stage, chance) => {
  const { world, real, processes } = stage
  const running = (await real.uploads.running())
    .toSorted((a, b) => a.localeCompare(b))
    .map((id) => world.uploads.get(id))
  const upload = chance.of(running)
  const process = chance.of([0, 1, 2]) ?? 0
  if (upload === undefined) return undefined
  const instance = `${process}.${processes[process] ?? 0}`
  const job = `${upload.id}-${upload.run}`
  const { crashes, record } = await real.uploads.begin(upload.id, job, instance)
  expect(crashes).toBe(begin(upload, job, instance))
  if (record !== undefined) stage.workers.push({ process, instance, job, record })
  return `${instance} takes ${job}`
}

export const lookAgain: Step = async (stage, chance) => {
  const { real } = stage
  const worker = anyWorker(stage, chance)
  const record = worker && (await real.uploads.read(worker.record.id))
  if (worker === undefined || record === undefined) return undefined
  worker.record = record
  return `${worker.instance} reads ${record.id} again`
}

export const giveJobBack: Step = async (stage, chance) => {
  const worker = anyWorker(stage, chance)
  if (worker === undefined) return undefined
  const { instance, job, record } = worker
  await stage.real.uploads.done(record.id, job, instance)
  done(stage.world.uploads.get(record.id), job, instance)
  stage.workers = stage.workers.filter((other) => other !== worker)
  return `${instance} is done with ${job}`
}

/** What it has in hand stays so, until another process begins it. */
export const killProcess: Step = async (stage, chance) => {
  const process = chance.of([0, 1, 2]) ?? 0
  stage.workers = stage.workers.filter((worker) => worker.process !== process)
  stage.processes[process] = (stage.processes[process] ?? 0) + 1
  return `process ${process} is killed and started again`
}
