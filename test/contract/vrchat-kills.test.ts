import { expect, test } from 'vitest'
import type { Session } from '#shared/providers/provider.ts'
import { createVrchat } from '#shared/providers/vrchat/index.ts'
import {
  completeVersion,
  drive,
  never,
  noTickets,
  randomBytes,
  sourceOf,
  stopAt,
  type Driven,
} from './support.ts'
import { openVrchat, PART_SIZE, type VrchatStage } from './vrchat-stage.ts'

const phases = ['arrival', 'before-reply', 'after-reply'] as const

interface Left {
  readonly stage: VrchatStage
  readonly killed: boolean
  /** As the record has it: no session before `prepare` answered. */
  readonly draft: unknown
  readonly session: Session | undefined
  readonly given: Pick<Parameters<typeof drive>[0], 'account' | 'source' | 'request'>
}

/** An upload that runs until the `nth` request of a phase, and never hears of anything after that. */
async function leftAt(stage: VrchatStage, phase: string, nth: number): Promise<Left> {
  const { signal, onRequest } = stopAt(phase, nth)
  stage.fake.hooks.onRequest = onRequest
  const source = sourceOf(randomBytes(2 * PART_SIZE, 'kill'))
  const given = { account: stage.account, source, request: stage.newRequest() }
  const doomed: Driven = drive({ ...given, provider: stage.provider, signal })
  let session: Session | undefined
  try {
    session = await doomed.prepare()
    await doomed.sendAll(session)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return { stage, given, session, draft: doomed.draft(), killed: signal.aborted }
}

const timing = { lagMs: 25 }

async function goOn({ stage, given, session, draft }: Left): Promise<void> {
  await using provider = createVrchat({ timing })
  const heir = drive({ ...given, provider, draft })
  const opened = session ?? (await heir.prepare())
  await heir.sendAll(opened)
  const version = await completeVersion(() => heir.confirm(opened))
  expect((await stage.contents(version)).equals(given.source.bytes)).toBe(true)
  expect([await stage.places(), stage.unfinished(), version.number]).toEqual([1, 0, 1])
}

async function giveUp({ stage, given, session, draft }: Left): Promise<void> {
  await using provider = createVrchat({ timing })
  const state = session?.state ?? draft
  if (state === undefined) return
  await provider.abort(given.account, { state, stillOurs: async () => true, tickets: noTickets }, never)
  const [file] = stage.fake.files
  const arrived = file?.versions.some(({ version, status }) => version > 0 && status !== 'waiting') === true
  expect(await stage.places()).toBe(arrived ? 1 : 0)
  expect(arrived || stage.unfinished() === 0).toBe(true)
}

async function atEachRequest(phase: string, then: (left: Left) => Promise<void>): Promise<number> {
  for (let nth = 1; ; nth += 1) {
    await using stage = await openVrchat()
    const left = await leftAt(stage, phase, nth)
    await then(left)
    if (!left.killed) return nth
  }
}

test.each(phases)(
  'killed at each request (%s), another process goes on and nothing is made twice',
  async (phase) => {
    expect(await atEachRequest(phase, goOn)).toBeGreaterThan(10)
  },
)

test.each(phases)('given up at each request (%s), nothing half-made is left behind', async (phase) => {
  expect(await atEachRequest(phase, giveUp)).toBeGreaterThan(10)
})
