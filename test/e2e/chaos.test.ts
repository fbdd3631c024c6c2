import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Evidence } from '../../chaos/evidence.ts'
import { planFaults } from '../../chaos/faults.ts'
import { makePlan, PART_SIZE } from '../../chaos/plan.ts'
import { judge } from '../../chaos/verdict.ts'
import type { Verdict } from '../../chaos/verdict.ts'
import { faultKinds } from '../fakes/http/faults.ts'
import { leftProcesses, startProgramApart } from '../support/programs/started-program.ts'

const pidsIn = (output: string): (string | undefined)[] =>
  [...output.matchAll(/\(pid (\d+)\)/g)].map(([, pid]) => pid)

test(
  'row 46: killed again and again amid faults, every upload arrives once and whole',
  { timeout: 300_000 },
  async () => {
    // Of the kinds that a client learns of only by waiting there is no time for.
    const flags = '--uploads 25 --kills 6 --seed 119 --without hang,hang-after,drip,false-length'
    const chaos = await startProgramApart('chaos/main.ts', flags.split(' '))

    const exitCode = await chaos.exitCode

    const output = chaos.output()
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 })
    for (const figure of ['lost', 'duplicated', 'corrupt', 'orphans', 'other findings'])
      expect(output).toMatch(new RegExp(`^ {2}${figure} +0$`, 'm'))
    // Each kind once, as there are six.
    expect(output).toMatch(
      /^ {2}kills +6 \((?=.*worker 2)(?=.*redis 1)(?=.*serve 1)(?=.*both workers 1)(?=.*all 1)/m,
    )
    expect(output).toMatch(/^ {2}faults +[1-9]\d* \(reset-on-arrival \d+, /m)
    expect(output).toMatch(/^ {2}wasted bytes per kill +\d+ \(at most 589824\)$/m)
    expect(output).toMatch(/^All 25 uploads arrived once and whole/m)
    expect(await leftProcesses(chaos, pidsIn(output))).toEqual([])
    expect(await readdir(chaos.folder)).toEqual([])
  },
)

const state = z.object({
  files: z.array(
    z.object({
      id: z.string(),
      versions: z.array(
        z.object({
          version: z.number(),
          status: z.string(),
          file: z.object({ size: z.number() }).optional(),
        }),
      ),
    }),
  ),
})

/** The first version there with a byte in it, as soon as there is one. */
async function arrivedVersion(control: string): Promise<{ fileId: string; version: number }> {
  for (; ; await sleep(20)) {
    const { files } = state.parse(await (await fetch(`${control}/state`)).json())
    const arrived = files.flatMap(({ id, versions }) =>
      versions
        .filter(({ version, status, file }) => version > 0 && status === 'complete' && (file?.size ?? 0) > 0)
        .map(({ version }) => ({ fileId: id, version })),
    )
    if (arrived[0] !== undefined) return arrived[0]
  }
}

test('bytes that rot at the provider are told, with the seed and all that is there to look into', async () => {
  const flags = ['--uploads', '6', '--kills', '1', '--seed', '5', '--faults', '0']
  const chaos = await startProgramApart('chaos/main.ts', flags)
  await chaos.untilSaid('the fake')
  const control = /insides are (\S+)/.exec(chaos.output())?.[1] ?? ''
  const which = await arrivedVersion(control)
  const { status } = await fetch(`${control}/tamper`, { method: 'POST', body: JSON.stringify(which) })

  const exitCode = await chaos.exitCode

  const output = chaos.output()
  expect({ exitCode, status, output }).toMatchObject({ exitCode: 1, status: 200 })
  expect(output).toMatch(/^ {2}corrupt +1$/m)
  expect(output).toMatch(/✗ corrupt: upl_\w+: the SHA-256 of what arrived is not that of its source/)
  expect(output).toMatch(/with seed 5\./)
  const kept = /kept in (\S+)/.exec(output)?.[1] ?? ''
  expect(kept).toContain(chaos.folder)
  expect((await readdir(kept)).toSorted()).toEqual(['data', 'logs'])
  const logs = ['fake-ledger.jsonl', 'fake.log', 'serve.log', 'worker-1.log', 'worker-2.log']
  expect((await readdir(`${kept}/logs`)).toSorted()).toEqual(logs)
  expect(await leftProcesses(chaos, pidsIn(output))).toEqual([])
})

test.for([
  ['--uploads', '0', '--uploads is a number from 1 to 10000, not 0'],
  ['--kills', 'many', '--kills is a number from 0 to 1000, not many'],
  ['--seed', '1.5', '--seed is a whole number, not 1.5'],
  ['--without', 'hang,rain', '--without: there is no fault rain; there are reset-on-arrival, '],
] as const)('%s %s is refused, with what would do', async ([flag, value, message]) => {
  const chaos = await startProgramApart('chaos/main.ts', [flag, value])

  expect(await chaos.exitCode).toBe(2)
  expect(chaos.output()).toContain(message)
})

const flags = { uploads: 300, kills: 30, seed: 1, faultPercent: 1, without: [], withinMs: 1000 }

test('the same seed plans the same', () => {
  const plan = makePlan(flags)

  expect(makePlan(flags)).toEqual(plan)
  expect(makePlan({ ...flags, seed: 2 }).uploads).not.toEqual(plan.uploads)
  // One upload more leaves the kills as they are.
  expect(makePlan({ ...flags, uploads: 301 }).kills).toEqual(plan.kills)
  expect(plan.uploads.map(({ size }) => size)).toEqual(expect.arrayContaining([0, 1, PART_SIZE]))
  expect(Math.max(...plan.uploads.map(({ size }) => size))).toBeGreaterThan(20 * PART_SIZE)
})

test('every kind of fault that the fake knows is among those that may come', () => {
  const kinds = planFaults(flags).map(({ rule: { action } }) =>
    typeof action === 'string' ? action : action.kind,
  )

  expect([...new Set(kinds)].toSorted()).toEqual(faultKinds.toSorted())
})

const digest = 'ab'.repeat(32)
const shared = { account: 'ada', destination: 'shared 0', size: PART_SIZE, isAskedTwice: false }
const [older, newer] = [1, 2].map((number) => ({ id: `upl_${number}`, number }))

/** Two uploads to one destination, both arrived; one worker was killed on the way. */
function evidence(change: Partial<Evidence> = {}): Evidence {
  const both = [older, newer].filter((one) => one !== undefined)
  const sizes = { declaredSize: PART_SIZE, storedBytes: PART_SIZE }
  return {
    accepted: both.map(({ id, number }) => ({
      id,
      secondId: undefined,
      sha256: digest,
      planned: { ...shared, index: number, fileName: `${number}.vrca` },
    })),
    kills: [{ kind: 'worker', victims: ['worker 1'], pauseMs: 1, downMs: 1, at: 1000 }],
    uploads: both.map(({ id, number }) => upload(id, number)),
    counts: { queued: 0, completed: 2 },
    accounts: [{ id: 'ada', state: 'ready', activeUploads: 0 }],
    testimony: {
      totals: {
        blobs: both.map(({ number }) => ({
          fileId: 'file_1',
          version: number,
          fileType: 'file',
          versionStatus: 'complete',
          sha256: digest,
          ...sizes,
        })),
        files: 1,
        completeVersions: 2,
        openVersions: 0,
        receivedBytes: 2 * PART_SIZE,
        declaredBytes: 2 * PART_SIZE,
      },
      sendings: both.map(({ number }) => sending(number)),
      violations: [],
    },
    remote: { files: [file([1, 2])], openVersions: [] },
    calls: [],
    left: [],
    leaks: [],
    fired: {},
    ...change,
  }
}

function upload(id: string, number: number, change: Partial<Evidence['uploads'][number]> = {}) {
  const version = { remoteId: 'file_1', number }
  const fields = {
    account: 'ada',
    state: 'completed',
    waitingFor: null,
    bytesSent: PART_SIZE,
    bytesResent: 0,
  }
  return { id, ...fields, epoch: 1, version, error: null, ...change }
}

const sending = (version: number, change: { fault?: string; time?: number } = {}) => ({
  time: version,
  endedAt: version + 1,
  user: 'ada',
  fileId: 'file_1',
  version,
  fileType: 'file',
  partNumber: 1,
  bytes: PART_SIZE,
  ...change,
})

const file = (versions: readonly number[], id = 'file_1') => ({
  id,
  owner: 'ada',
  name: 'shared 0',
  versions: versions.map((version) => ({ version, status: 'complete', deleted: false })),
})

const all = ({ lost, duplicated, corrupt, orphans, other }: Verdict) => ({
  lost: lost.length,
  duplicated: duplicated.length,
  corrupt: corrupt.length,
  orphans: orphans.length,
  other: other.map(({ what }) => what),
})
const nothing = { lost: 0, duplicated: 0, corrupt: 0, orphans: 0, other: [] }

test('nothing is found where all is as it must be', () => {
  const verdict = judge(evidence())

  expect(all(verdict)).toEqual(nothing)
  expect(verdict.waste).toEqual({ bytes: 0, byFaults: 0, perKill: 0, bound: 3 * PART_SIZE })
})

const { testimony, accepted, uploads } = evidence()
const failed = { state: 'failed', version: null, error: { class: 'poison', message: 'died' } }
const toldToWait = { time: 9990, endedAt: 10_000, operation: 'getFile', user: 'ada', status: 429 }
const oneIsThere = { files: [file([1])], openVersions: [] }
const sendings = (times: number, fault: string) => [
  ...testimony.sendings,
  ...Array.from({ length: times }, (_, index) =>
    sending(1, { time: 10 + 10 * index, ...(fault !== '' && { fault }) }),
  ),
]

test.for([
  [
    'an upload that failed',
    { uploads: [upload('upl_1', 1), upload('upl_2', 2, failed)], remote: oneIsThere },
    { lost: 1 },
  ],
  ['an upload that nobody knows any more', { uploads: uploads.slice(0, 1), remote: oneIsThere }, { lost: 1 }],
  [
    'a version that is not there',
    {
      testimony: { ...testimony, totals: { ...testimony.totals, blobs: testimony.totals.blobs.slice(0, 1) } },
    },
    { lost: 1 },
  ],
  ['a version of nobody', { remote: { files: [file([1, 2, 3])], openVersions: [] } }, { duplicated: 1 }],
  [
    'a key that made two uploads',
    { accepted: accepted.map((one) => ({ ...one, secondId: 'upl_3' })) },
    { duplicated: 2 },
  ],
  ['other bytes', { accepted: accepted.map((one) => ({ ...one, sha256: 'cd' })) }, { corrupt: 2 }],
  [
    'a version left open',
    {
      remote: { files: [file([1, 2])], openVersions: [{ fileId: 'file_1', version: 3, status: 'waiting' }] },
    },
    { orphans: 1 },
  ],
  [
    'a File left empty',
    { remote: { files: [file([1, 2]), file([], 'file_2')], openVersions: [] } },
    { orphans: 1 },
  ],
  ['a key left in Redis', { left: ['destination:vrchat/file_1'] }, { orphans: 1 }],
] satisfies [string, Partial<Evidence>, Partial<Record<keyof Verdict, number>>][])(
  '%s is found',
  ([, change, found]) => {
    expect(all(judge(evidence(change)))).toMatchObject({ ...nothing, other: expect.any(Array), ...found })
  },
)

test.for([
  [
    'versions in another order than accepted',
    { uploads: [upload('upl_1', 2), upload('upl_2', 1)] },
    'version 1 of file_1 at ada/shared 0, though upl_1, accepted before it, is 2 of file_1',
  ],
  ['a count that is not the list', { counts: { completed: 3 } }, 'uploads listed as completed: 3, not 2'],
  ['a secret in a log', { leaks: ['the API token (plain) is in serve.log'] }, 'the API token'],
  [
    'a broken rule of the provider',
    { testimony: { ...testimony, violations: ['putPart: no Content-Length'] } },
    "against VRChat's rules: putPart",
  ],
  [
    'a call of somebody who was told to wait',
    { calls: [toldToWait, { ...toldToWait, time: 12_500, status: 200 }] },
    'getFile of ada came 2500 ms after it was told to wait 3 s',
  ],
  [
    'more sent in vain than was under way',
    { testimony: { ...testimony, sendings: sendings(4, '') } },
    `${4 * PART_SIZE} bytes were sent in vain for each kill, more than ${3 * PART_SIZE}`,
  ],
  [
    'more parts at once than are allowed',
    {
      testimony: {
        ...testimony,
        sendings: [1, 2, 3, 4].map((part) => ({
          ...sending(1, { fault: 'hang' }),
          partNumber: part,
          time: 1,
        })),
      },
    },
    '4 parts of ada at once, and 3 are allowed',
  ],
] satisfies [string, Partial<Evidence>, string][])('%s is found as well', ([, change, what]) => {
  expect(judge(evidence(change)).other).toEqual([
    expect.objectContaining({ what: expect.stringContaining(what) }),
  ])
})

test('who died in the moment in which it was told to wait could tell nobody', () => {
  const calls = [toldToWait, { ...toldToWait, time: 12_500, status: 200 }]
  const kills = evidence().kills.map((kill) => ({ ...kill, at: 10_001 }))

  expect(judge(evidence({ calls, kills })).other).toEqual([])
})

test('what a fault made come again is not put down to the kills', () => {
  const { waste, other } = judge(
    evidence({ testimony: { ...testimony, sendings: sendings(4, 'lost-reply') } }),
  )

  expect(waste).toMatchObject({ bytes: 4 * PART_SIZE, byFaults: 4 * PART_SIZE, perKill: 0 })
  expect(other).toEqual([])
})
