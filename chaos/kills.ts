import { setTimeout as sleep } from 'node:timers/promises'
import { seconds } from '../test/support/programs/screen.ts'
import type { Plan, PlannedKill } from './plan.ts'
import type { Stage } from './stage.ts'

export interface Kill extends PlannedKill {
  /** When it was done: ms since 1970. */
  readonly at: number
}

interface Options {
  readonly plan: Plan
  readonly stage: Stage
  readonly say: (text: string) => void
  readonly onKilled: (kill: Kill) => void
}

/** Kills what the plan says, one kill after the other, and starts it again. */
export async function killAll({ plan: { kills }, stage, say, onKilled }: Options): Promise<void> {
  for (const [index, kill] of kills.entries()) {
    await sleep(kill.pauseMs, undefined, stage)
    const names = kill.victims.map((name) => `${name} (pid ${stage.mortals[name].pid()})`).join(', ')
    await Promise.all(kill.victims.map(async (name) => stage.mortals[name].kill()))
    const at = Date.now()
    say(`kill ${index + 1} of ${kills.length}: ${names}, away for ${seconds(kill.downMs)}`)
    await sleep(kill.downMs, undefined, stage)
    await Promise.all(kill.victims.map(async (name) => stage.mortals[name].start()))
    say(`  ${kill.kind} back after ${seconds(Date.now() - at)}`)
    onKilled({ ...kill, at })
  }
}
