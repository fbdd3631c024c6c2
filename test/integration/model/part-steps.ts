import { expect } from 'vitest'
import { blamePart, blameRun, countSending, openChain, PARTS, save } from './part-rules.ts'
import type { Part } from './part-rules.ts'
import type { Chance, Session, Stage, Step } from './stage.ts'
import { anyWorker, said } from './worker-steps.ts'

/** How many parts the orchestrator begins with. */
const WINDOW = 2

/** A part of any session, more often of one that still is: jobs outlive what they are for. */
function anyPart({ world, sessions }: Stage, chance: Chance): (Part & Session) | undefined {
  const current = sessions.filter(({ id, epoch }) => {
    const upload = world.uploads.get(id)
    return upload?.state === 'transferring' && upload.epoch === epoch
  })
  const session = chance.of([...sessions, ...current, ...current])
  const blob = chance.of(['file', 'file', 'signature']) ?? ''
  const number = chance.of([1, 2, 3, 4, 5]) ?? 1
  return session && { ...session, blob, number }
}

const named = ({ id, epoch, blob, number }: Part & Session): string =>
  `${id} epoch ${epoch} ${blob} ${number}`

/** A part job: begun, told where to go on, sent, or given up. */
export const sendPart: Step = async (stage, chance) => {
  const part = anyPart(stage, chance)
  const bytes = chance.of([10, 20, 30, undefined])
  if (part === undefined) return undefined
  const { parts } = stage.real
  const upload = stage.world.uploads.get(part.id)
  const key = { ...part, upload: part.id }
  // No part has a job before its chain is open.
  await parts.openChain(part, part.blob, WINDOW + 1)
  openChain(upload, part.epoch, part.blob, WINDOW + 1)
  expect(await parts.countSending(key, 1)).toBe(countSending(upload, part, 1))
  const receipt = bytes === undefined ? undefined : { etag: 'e', md5: 'm', bytes, at: 1 }
  const next = await parts.save(key, PARTS, receipt)
  expect(next).toBe(save(upload, part, bytes))
  // A part that does not learn what to go on with is told the same again.
  if (chance.isLost) expect(await parts.save(key, PARTS, receipt)).toBe(save(upload, part, bytes))
  return `${named(part)} with ${bytes ?? 'no'} bytes: ${next}`
}

const reason = { class: 'refused', message: 'no' } as const
const reasons = ['failure', 'restart'] as const

/** A part ends for good without a receipt. */
export const blameByPart: Step = async (stage, chance) => {
  const part = anyPart(stage, chance)
  const what = chance.of(reasons) ?? 'failure'
  if (part === undefined) return undefined
  await stage.real.uploads.blame({ id: part.id, epoch: part.epoch, part }, what, reason)
  blamePart(stage.world.uploads.get(part.id), part, what)
  return `${named(part)} blames ${what}`
}

/** A step of an orchestrator ends for good, or finds that it has to start over. */
export const blameByRun: Step = async (stage, chance) => {
  const worker = anyWorker(stage, chance)
  const what = chance.of(reasons) ?? 'failure'
  if (worker === undefined) return undefined
  const { record } = worker
  await stage.real.uploads.blame(record, what, reason)
  blameRun(stage.world.uploads.get(record.id), record, what)
  return `${said(worker)} blames ${what}`
}
