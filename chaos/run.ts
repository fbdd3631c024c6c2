import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatBytes } from '#producer/cli/terminal/format.ts'
import { ProgramFailed } from '../test/support/programs/failure.ts'
import type { Screen } from '../test/support/programs/screen.ts'
import { openWorkspace } from '../test/support/programs/workspace.ts'
import type { Workspace } from '../test/support/programs/workspace.ts'
import type { Flags } from './flags.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan.ts'
import { printVerdict } from './report.ts'
import { openStage } from './stage.ts'
import { perform } from './story.ts'
import { isPerfect } from './verdict.ts'
import type { Verdict } from './verdict.ts'

interface Options {
  readonly flags: Flags
  readonly screen: Screen
  /** Aborts with `Interrupted` at Ctrl-C. */
  readonly interrupted: AbortSignal
}

/** The whole of it, from an empty folder to an empty folder. Answers the exit code. */
export async function runChaos(options: Options): Promise<number> {
  const { flags, screen, interrupted } = options
  try {
    const verdict = await inWorkspace(options)
    if (!isPerfect(verdict)) {
      screen.line(
        `\n${screen.paint('bad', `Not all is as it must be, after ${screen.clock()}, with seed ${flags.seed}.`)}`,
      )
      return 1
    }
    screen.line(
      `\n${screen.paint('good', `All ${flags.uploads} uploads arrived once and whole, in ${screen.clock()}.`)}`,
    )
    return 0
  } catch (error) {
    if (interrupted.aborted) {
      screen.line('\nInterrupted.')
      return 130
    }
    printFailure(screen, error, flags)
    return 1
  }
}

// What was made, what arrived, the parts that are replaced while both are there, logs and the Redis.
const ROOM = 3
const LEAST_ROOM = 256 * 1024 * 1024

async function inWorkspace({ flags, screen, interrupted }: Options): Promise<Verdict> {
  const plan = makePlan(flags)
  const bytes = plan.uploads.reduce((sum, { size }) => sum + size, 0)
  screen.line(
    `Stevedore chaos: ${flags.uploads} uploads, ${formatBytes(bytes)}, ${flags.kills} kills, seed ${flags.seed}`,
  )
  const room = { program: 'chaos', bytes: LEAST_ROOM + bytes * ROOM, smaller: '--uploads 100' }
  await using workspace = await openWorkspace(room)
  const keep = (): void => {
    workspace.keep('data', 'logs')
    screen.line(`  Data directory and logs are kept in ${workspace.root}`)
  }
  try {
    const verdict = await onStage({ flags, screen, interrupted, plan, workspace })
    if (!isPerfect(verdict)) keep()
    return verdict
  } catch (error) {
    if (!interrupted.aborted) keep()
    throw error
  }
}

interface Prepared extends Options {
  readonly plan: Plan
  readonly workspace: Workspace
}

async function onStage({ flags, screen, interrupted, plan, workspace }: Prepared): Promise<Verdict> {
  const say = (text: string): void => screen.line(`${screen.clock().padStart(9)}  ${text}`)
  await using stage = await openStage({ plan, workspace, say, interrupted })
  say(`the service is ${stage.url}, the fake's insides are ${stage.fake.controlUrl}`)
  try {
    const { verdict, evidence } = await perform({ plan, stage, workspace, withinMs: flags.withinMs, say })
    screen.heading('The verdict')
    printVerdict(screen, verdict, evidence)
    return verdict
  } catch (error) {
    // Who asks a process that has just died hears of it sooner than we do.
    if (!stage.signal.aborted) await Promise.race([once(stage.signal, 'abort'), sleep(500)])
    stage.signal.throwIfAborted()
    throw error
  }
}

function printFailure(screen: Screen, error: unknown, { seed }: Flags): void {
  const reason: unknown = error instanceof SuppressedError ? error.error : error
  const message = reason instanceof Error ? reason.message : String(reason)
  screen.line(`\n${screen.paint('bad', `Failed after ${screen.clock()} with seed ${seed}: ${message}`)}`)
  if (reason instanceof ProgramFailed) for (const detail of reason.details) screen.line(`  ${detail}`)
}
