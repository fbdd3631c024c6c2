import * as fc from 'fast-check'
import * as outside from './outside-steps.ts'
import * as parts from './part-steps.ts'
import * as people from './people-steps.ts'
import * as processes from './process-steps.ts'
import type { Step } from './stage.ts'
import * as workers from './worker-steps.ts'

/** What may happen, and how often it does. */
const kinds = {
  accept: [people.acceptOne, 7],
  dispatch: [processes.dispatchSome, 5],
  take: [processes.takeJob, 9],
  look: [processes.lookAgain, 3],
  done: [processes.giveJobBack, 1],
  kill: [processes.killProcess, 1],
  move: [workers.move, 22],
  bind: [workers.bindPlace, 6],
  part: [parts.sendPart, 12],
  partFails: [parts.blameByPart, 2],
  stepFails: [parts.blameByRun, 2],
  cancel: [people.cancelOne, 2],
  retry: [people.retryOne, 5],
  account: [outside.changeAccount, 2],
  remove: [outside.removeOrAddAccount, 1],
  deadline: [outside.passDeadline, 1],
  overdue: [outside.failOverdue, 1],
  forget: [people.forgetOne, 1],
  hold: [outside.holdOrRelease, 1],
} satisfies Record<string, readonly [Step, number]>

export type Kind = keyof typeof kinds

export const stepOf = (kind: Kind): Step => kinds[kind][0]

const isKind = (name: string): name is Kind => name in kinds

const bag: readonly Kind[] = Object.entries(kinds).flatMap(([name, [, weight]]) =>
  isKind(name) ? Array.from({ length: weight }, () => name) : [],
)

/** A step, its choices not yet made: what there is to choose from depends on what came before. */
const scripted = fc.record({
  kind: fc.constantFrom(...bag),
  choices: fc.nat(),
  isLost: fc.integer({ min: 0, max: 4 }).map((one) => one === 4),
})

export type Scripted = typeof scripted extends fc.Arbitrary<infer One> ? One : never

export const scripts = fc.noBias(fc.array(scripted, { minLength: 1, maxLength: 200, size: 'max' }))
