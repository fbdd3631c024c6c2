import { compare } from './compare.ts'
import { stepOf } from './script.ts'
import type { Scripted } from './script.ts'
import { openStage } from './stage.ts'
import type { Chance, Stage } from './stage.ts'
import { drain } from './drain.ts'

/** Plays a history to its end. Throws, with what happened until then, at the first step that went wrong. */
export async function play(
  real: Stage['real'],
  script: readonly Scripted[],
  count: (outcome: string) => void,
): Promise<void> {
  const stage = await openStage(real)
  try {
    for (const one of script) {
      stage.log.push(`${one.kind} …`)
      const what = await stepOf(one.kind)(stage, chanceOf(one))
      stage.log.pop()
      if (what === undefined) continue
      stage.log.push(what)
      count(`${one.kind} ${/\w+: \w+$/.exec(what)?.[0] ?? ''}`)
      await compare(stage)
    }
    await drain(stage)
  } catch (error) {
    const history = stage.log.map((line, index) => `${index + 1}. ${line}`).join('\n')
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nafter\n${history}`, {
      cause: error,
    })
  }
}

/** One number holds all choices of a step, so that a history shrinks fast. */
function chanceOf({ choices, isLost }: Scripted): Chance {
  let left = choices
  return {
    of: (among) => {
      const chosen = among[left % Math.max(1, among.length)]
      left = Math.floor(left / Math.max(1, among.length))
      return chosen
    },
    isLost,
  }
}
