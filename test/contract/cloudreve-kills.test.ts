import { expect, test } from 'vitest'
import type { Session } from '#shared/providers/provider.ts'
import { createCloudreve } from '#shared/providers/cloudreve/index.ts'
import { openCloudreve, stagedKinds, type CloudreveStage } from './cloudreve-stage.ts'
import { completeVersion, drive, never, randomBytes, sourceOf, stopAt, type Driven } from './support.ts'
import { CHUNK_SIZE, type Kind } from './transport-stage.ts'

const phases = ['arrival', 'before-reply', 'after-reply'] as const
const rows = stagedKinds.flatMap((kind) => phases.map((phase) => ({ kind, phase })))

interface Left {
  readonly stage: CloudreveStage
  readonly killed: boolean
  readonly upload: Driven
  readonly session: Session | undefined
  /** What the record of the upload has for whoever goes on. */
  readonly given: Pick<Parameters<typeof drive>[0], 'account' | 'source' | 'request'>
}

/** An upload that runs until the `nth` request of a phase, and never hears of anything after that. */
async function leftAt(stage: CloudreveStage, phase: string, nth: number): Promise<Left> {
  const { signal, onRequest } = stopAt(phase, nth)
  stage.fake.hooks.onRequest = onRequest
  const source = sourceOf(randomBytes(2 * CHUNK_SIZE, 'kill'))
  const given = { account: stage.account, source, request: stage.newRequest() }
  const upload = drive({ ...given, provider: stage.provider, signal })
  let session: Session | undefined
  try {
    session = await upload.prepare()
    await upload.sendAll(session)
    await upload.confirm(session)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return { stage, given, upload, session, killed: signal.aborted }
}

const openHeir = () => createCloudreve({ timing: { retryMs: 20, settleMs: 20 } })

/** Another process, which has nothing but what the record holds. */
async function goOn({ stage, given, upload, session }: Left): Promise<void> {
  await using provider = openHeir()
  const { tickets, receipts } = upload
  const heir = drive({ ...given, provider, draft: upload.draft(), tickets, receipts })
  const opened = session ?? (await heir.prepare())
  await heir.sendAll(opened)
  const version = await completeVersion(() => heir.confirm(opened))
  expect((await stage.contents(version)).equals(given.source.bytes)).toBe(true)
  const [file] = (await stage.fake.files()).filter(({ type }) => type === 'file')
  expect([await stage.places(), stage.unfinished(), file?.entities.length]).toEqual([1, 0, 1])
  expect(stage.count('createSession')).toBeLessThanOrEqual(session === undefined ? 2 : 1)
}

async function giveUp({ stage, given, upload, session }: Left): Promise<void> {
  await using provider = openHeir()
  const state = session?.state ?? upload.draft()
  if (state !== undefined) {
    const left = { state, stillOurs: async () => true, tickets: upload.tickets }
    await provider.abort(given.account, left, never)
  }
  const arrived = (await stage.fake.files()).filter(({ size }) => size > 0)
  expect([await stage.places(), stage.unfinished()]).toEqual([arrived.length, 0])
  expect((await stage.fake.totals()).reservedBytes).toBe(0)
}

async function atEachRequest(
  { kind, phase }: { readonly kind: Kind; readonly phase: string },
  then: (left: Left) => Promise<void>,
): Promise<number> {
  for (let nth = 1; ; nth += 1) {
    await using stage = await openCloudreve(kind)
    const left = await leftAt(stage, phase, nth)
    await then(left)
    expect(stage.violations()).toEqual([])
    if (!left.killed) return nth
  }
}

test.concurrent.for(rows)(
  '$kind: killed at each request ($phase), another process goes on and nothing is made twice',
  async (row) => {
    // Two questions before a login, the login, version and place, the session, two chunks, and a look at the end.
    expect(await atEachRequest(row, goOn)).toBeGreaterThan(7)
  },
)

test.concurrent.for(rows)(
  '$kind: given up at each request ($phase), nothing half-made is left behind',
  async (row) => {
    expect(await atEachRequest(row, giveUp)).toBeGreaterThan(7)
  },
)
