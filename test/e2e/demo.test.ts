import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { s3, vrchat } from '../../demo/places.ts'
import type { Upload } from '../../demo/service.ts'
import { judge } from '../../demo/verdict.ts'
import type { Evidence } from '../../demo/verdict.ts'
import { siteWitness } from '../../demo/witness.ts'
import type { Witness } from '../../demo/witness.ts'
import type { CloudreveTestimony } from '../support/programs/fake-cloudreve.ts'
import { leftProcesses, startProgramApart } from '../support/programs/started-program.ts'
import type { StartedProgram } from '../support/programs/started-program.ts'

/** With small files. */
const startDemo = async (...flags: readonly string[]): Promise<StartedProgram> =>
  startProgramApart('demo/main.ts', ['--scale', '0.1', ...flags])

/** Those that the demo said it started, as far as they run. */
async function leftOf(demo: StartedProgram): Promise<string[]> {
  const pids = [...demo.output().matchAll(/^ {2}[\w ]{10} pid (\d+)/gm)].map(([, pid]) => pid)
  expect(pids).toHaveLength(5)
  return leftProcesses(demo, pids)
}

test('the demo loses a worker, shows that every file arrived whole, and leaves nothing behind', async () => {
  const demo = await startDemo()

  const exitCode = await demo.exitCode

  const output = demo.output()
  expect({ exitCode, output }).toMatchObject({ exitCode: 0 })
  expect(output).toMatch(/worker \d \(pid \d+\) is killed with SIGKILL/)
  expect(output).toMatch(/it was sending to Cloudreve: .+ parts? \d/)
  expect(output.match(/^ {2}\S.* VRChat .* 1 {2}yes [0-9a-f]{8}$/gm)).toHaveLength(13)
  expect(output.match(/^ {2}\S.* Cloudreve (local|s3|onedrive) .* yes [0-9a-f]{8}$/gm)).toHaveLength(9)
  expect(output).toMatch(/^ {2}many-parts\.vrcw +VRChat +120 MiB +25 \+ 1 .* 1 {2}yes [0-9a-f]{8}$/m)
  expect(output).toMatch(/^ {2}many-chunks\.tar +Cloudreve s3 +60\.0 MiB +13 .* yes [0-9a-f]{8}$/m)
  expect(output).toMatch(/^ {2}Cloudreve onedrive +3 +40\.0 MiB +4\d\.\d MiB/m)
  expect(output).toMatch(/Sent twice because of the kill: .* \(\d+ bytes\)/)
  expect(output).toMatch(/nothing, say the fakes;\n {2}nor was anything left unfinished there/)
  expect(output).toMatch(/All 22 files arrived whole/)
  expect(await leftOf(demo)).toEqual([])
  expect(await readdir(demo.folder)).toEqual([])
})

const visit = async (url: string): Promise<Response> => fetch(url, { headers: { accept: 'text/html' } })

test('kept running, it says where to look; Ctrl-C stops everything', async () => {
  const demo = await startDemo('--keep')
  await demo.untilSaid('  token ')
  const address = (name: string): string => new RegExp(`${name} +(http\\S+)`).exec(demo.output())?.[1] ?? ''
  const [docs, dashboard] = await Promise.all([visit(address('API docs')), visit(address('dashboard'))])

  demo.child.kill('SIGINT')
  const exitCode = await demo.exitCode

  expect({ exitCode, output: demo.output() }).toMatchObject({ exitCode: 0 })
  expect(docs.status).toBe(200)
  // Its login page.
  expect(await dashboard.text()).toContain('name="token"')
  expect(await leftOf(demo)).toEqual([])
  expect(await readdir(demo.folder)).toEqual([])
})

test('Ctrl-C in the middle stops everything and leaves nothing behind', async () => {
  const demo = await startDemo()
  await demo.untilSaid(' of 22 done')

  demo.child.kill('SIGINT')
  const exitCode = await demo.exitCode

  expect({ exitCode, output: demo.output() }).toMatchObject({ exitCode: 130 })
  expect(demo.output()).not.toContain('    at ')
  expect(await leftOf(demo)).toEqual([])
  expect(await readdir(demo.folder)).toEqual([])
})

const MIB = 1024 * 1024
const SIZE = 2 * MIB
const digest = 'ab'.repeat(32)
const PLACE = 'cloudreve://my/s3/b.tar'

interface Change {
  readonly sha256?: string
  /** Part of the VRChat file that came once more. */
  readonly again?: number
  /** Bytes of which nobody knows what they were for. */
  readonly strayBytes?: number
  readonly complaint?: string
  /** Parts of these were being sent when the worker died. */
  readonly inFlight?: readonly string[]
}

const uploadOf = (name: string, provider: 'vrchat' | 'cloudreve', version: Version): Upload => ({
  id: `upl_${name}`,
  provider,
  fileName: name,
  state: 'completed',
  size: SIZE,
  bytesSent: SIZE,
  startedAt: 1000,
  endedAt: 3000,
  version: { ...version, size: SIZE },
  error: null,
})

type Version = Pick<NonNullable<Upload['version']>, 'remoteId' | 'number'>

/** A file of two parts at each provider that arrived whole; part 1 came twice, as its worker was killed over it. */
function evidence(change: Change = {}): Evidence {
  const { sha256 = digest, again = 1, strayBytes = 0, complaint } = change
  const { inFlight = ['upl_a.vrca', 'upl_b.tar'] } = change
  const sending = (place: string) => (number: number) => ({ place, blob: 'file', number, bytes: MIB })
  const stored = { bytes: SIZE, declared: SIZE }
  const site: Witness = {
    provider: 'cloudreve',
    stored: [{ place: PLACE, ...stored, sha256: digest }],
    sendings: [1, 2, 1].map(sending(PLACE)),
    complaints: complaint === undefined ? [] : [complaint],
  }
  const vrchatFake: Witness = {
    provider: 'vrchat',
    stored: [{ place: 'file_1', version: 1, ...stored, sha256 }],
    sendings: [...[1, 2, again].map(sending('file_1')), { ...sending('file_2')(1), bytes: strayBytes }],
    complaints: [],
  }
  return {
    files: [
      { name: 'a.vrca', size: SIZE, path: '/a.vrca', sha256: digest, to: vrchat },
      { name: 'b.tar', size: SIZE, path: '/b.tar', sha256: digest, to: s3 },
    ],
    uploads: [
      uploadOf('a.vrca', 'vrchat', { remoteId: 'file_1', number: 1 }),
      uploadOf('b.tar', 'cloudreve', { remoteId: PLACE, number: 'kYLmTq' }),
    ],
    parts: new Map([['upl_a.vrca', { file: 2, signature: 1 }]]),
    witnesses: [vrchatFake, site],
    kill: {
      worker: 'worker 1',
      pid: 1,
      at: 2,
      parts: inFlight.map((upload) => ({ upload, blob: 'file', number: 1, job: 'job', isInFlight: true })),
    },
    partSize: MIB,
  }
}

test('what arrived as it was sent is good, and what the kill cost is counted', () => {
  const { problems, arrivals, sentTwice } = judge(evidence())

  expect(problems).toEqual([])
  expect(arrivals).toMatchObject([
    { isSame: true, version: 1, ms: 2000, sent: 3 * MIB, resent: MIB },
    { isSame: true, version: 'kYLmTq', ms: 2000, sent: 3 * MIB, resent: MIB },
  ])
  expect(sentTwice).toBe(2 * MIB)
})

test.for([
  ['other bytes', { sha256: 'cd'.repeat(32) }, "a.vrca: the SHA-256 of what arrived is not the source's"],
  ['more sent twice than was in flight', { strayBytes: 1 }, `${2 * MIB + 1} bytes were sent twice`],
  ['a part sent twice that nobody died over', { again: 2 }, 'part 2 of the file of file_1 was sent 2 times'],
  [
    'what a fake complains of',
    { complaint: `a placeholder was left at ${PLACE}` },
    'a placeholder was left at',
  ],
] as const)('%s is a failure of the demo', ([, change, problem]) => {
  const { problems } = judge(evidence(change))

  expect(problems).toEqual([expect.stringContaining(problem)])
})

test('a kill that no Cloudreve upload died over is a failure of the demo', () => {
  const { problems } = judge(evidence({ inFlight: ['upl_a.vrca'] }))

  expect(problems).toContain('the killed worker was sending nothing to Cloudreve')
})

const empty = { placeholders: [], sessions: [], unfinished: {}, sendings: [], violations: [] }

test('an empty file at Cloudreve has no content, and the digest of nothing', () => {
  const file = { uri: PLACE, type: 'file' as const, size: 0, entities: [] }

  const { stored, complaints } = siteWitness({ ...empty, files: [file] }, 1)

  expect(stored).toMatchObject([{ bytes: 0, declared: 0, sha256: expect.stringMatching(/^e3b0c442/) }])
  expect(complaints).toEqual([])
})

const leftovers: readonly (readonly [what: string, left: Partial<CloudreveTestimony>, complaint: string])[] =
  [
    ['a placeholder', { placeholders: [{ uri: PLACE, reserved: 5 }] }, 'a placeholder was left at'],
    ['a session', { sessions: [{ uri: PLACE }] }, 'an upload session was left open at'],
    ['half an object', { unfinished: { s3: 2, cos: 0 } }, '2 unfinished uploads were left at the store s3'],
    ['a broken rule', { violations: ['sendChunk: no'] }, "against Cloudreve's protocol: sendChunk: no"],
  ]

test.for(leftovers)('the fake Cloudreve complains of %s', ([, left, complaint]) => {
  const { complaints } = siteWitness({ ...empty, files: [], ...left }, 0)

  expect(complaints).toEqual([expect.stringContaining(complaint)])
})
