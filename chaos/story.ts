import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Canary } from '../test/support/canaries.ts'
import { askFake } from '../test/support/programs/fake.ts'
import { seconds } from '../test/support/programs/screen.ts'
import type { Workspace } from '../test/support/programs/workspace.ts'
import { collectEvidence, keepLedger } from './evidence.ts'
import type { Evidence } from './evidence.ts'
import { killAll } from './kills.ts'
import type { Kill } from './kills.ts'
import { ACCOUNTS } from './plan.ts'
import type { Plan } from './plan.ts'
import { isEnded, openService } from './service.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'
import { submit } from './submit.ts'
import type { Accepted } from './submit.ts'
import { isPerfect, judge } from './verdict.ts'
import type { Verdict } from './verdict.ts'

interface Options {
  readonly plan: Plan
  readonly stage: Stage
  readonly workspace: Workspace
  /** How long after the last kill all must have ended. */
  readonly withinMs: number
  readonly say: (text: string) => void
}

const COUNT_EVERY_MS = 3000

/** Hands everything in, kills on the way, waits until all has ended, and judges. */
export async function perform(options: Options): Promise<{ verdict: Verdict; evidence: Evidence }> {
  const { plan, workspace, withinMs, say } = options
  const failed = new AbortController()
  const stage = { ...options.stage, signal: AbortSignal.any([failed.signal, options.stage.signal]) }
  await using service = openService(stage)
  const secrets: Canary[] = [...stage.secrets]
  for (const account of ACCOUNTS) secrets.push(...(await service.addAccount(account)))
  // No sooner: adding an account is not what is tried here.
  const rules = plan.faults.map(({ rule }) => rule)
  await askFake(stage, 'POST /faults', z.unknown(), rules)

  const accepted: Accepted[] = []
  const kills: Kill[] = []
  const killed = (): number => (plan.kills.length === 0 ? 1 : kills.length / plan.kills.length)
  const onAccepted = (one: Accepted): void => void accepted.push(one)
  const over = new AbortController()
  const counting = count({ service, accepted, say, over: AbortSignal.any([over.signal, stage.signal]) })
  const work = [
    submit({ plan, stage, service, sources: workspace.sources, killed, onAccepted }),
    killAll({ plan, stage, say, onKilled: (kill) => void kills.push(kill) }),
  ]
  try {
    await Promise.all(work)
    say(`all ${accepted.length} are accepted and nothing is killed any more`)
    await untilEnded({ service, stage, withinMs, say })
  } catch (error) {
    // Nothing may be started again once the stage is put away.
    failed.abort(error)
    await Promise.allSettled(work)
    throw error
  } finally {
    over.abort()
    await counting
  }
  say(`${service.repeated()} requests had to be repeated`)
  const evidence = await collectEvidence({ plan, stage, service, workspace, secrets, accepted, kills })
  const verdict = judge(evidence)
  if (!isPerfect(verdict)) await keepLedger(stage, workspace)
  return { verdict, evidence }
}

interface Counting {
  readonly service: Service
  readonly accepted: readonly Accepted[]
  readonly say: (text: string) => void
  readonly over: AbortSignal
}

/** A line every few seconds. */
async function count({ service, accepted, say, over }: Counting): Promise<void> {
  while (!over.aborted) {
    await sleep(COUNT_EVERY_MS, undefined, { signal: over }).catch(() => undefined)
    if (over.aborted) return
    const uploads = await service.uploads().catch(() => undefined)
    // Whoever hands them in hears of it as well.
    if (uploads === undefined) continue
    const states = Map.groupBy(uploads, ({ state }) => state)
    const texts = [...states].map(([state, group]) => `${group.length} ${state}`)
    say(`${accepted.length} accepted: ${texts.join(', ')}`)
  }
}

interface Waiting {
  readonly service: Service
  readonly stage: Stage
  readonly withinMs: number
  readonly say: (text: string) => void
}

/** What has not ended when the time is up is judged as it is. */
async function untilEnded({ service, stage, withinMs, say }: Waiting): Promise<void> {
  for (const giveUpAt = Date.now() + withinMs; ; await sleep(200, undefined, stage)) {
    const open = (await service.uploads()).filter((upload) => !isEnded(upload))
    if (open.length === 0) return
    if (Date.now() > giveUpAt) return say(`${open.length} have not ended within ${seconds(withinMs)}`)
  }
}
