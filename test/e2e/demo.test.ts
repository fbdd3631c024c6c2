import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { judge } from '../../demo/verdict.ts'
import type { Evidence } from '../../demo/verdict.ts'
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
  expect(output.match(/ 1 {2}yes [0-9a-f]{8}$/gm)).toHaveLength(13)
  expect(output).toMatch(/^ {2}many-parts\.vrcw +120 MiB +25 \+ 1 .* 1 {2}yes [0-9a-f]{8}$/m)
  expect(output).toMatch(/Sent twice because of the kill: .* \(\d+ bytes\)/)
  expect(output).toMatch(/All 13 files arrived whole/)
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
  await demo.untilSaid(' of 13 done')

  demo.child.kill('SIGINT')
  const exitCode = await demo.exitCode

  expect({ exitCode, output: demo.output() }).toMatchObject({ exitCode: 130 })
  expect(demo.output()).not.toContain('    at ')
  expect(await leftOf(demo)).toEqual([])
  expect(await readdir(demo.folder)).toEqual([])
})

const MIB = 1024 * 1024
const digest = 'ab'.repeat(32)

/** One file of two parts that arrived whole; part 1 was sent twice, as its worker was killed over it. */
function evidence(
  change: { sha256?: string; receivedBytes?: number; partSentTwice?: number; violation?: string } = {},
): Evidence {
  const { sha256 = digest, receivedBytes = 3 * MIB, partSentTwice = 1, violation } = change
  const size = 2 * MIB
  const sending = (partNumber: number) => ({
    time: 1,
    fileId: 'file_1',
    fileType: 'file',
    partNumber,
    bytes: MIB,
  })
  const upload = {
    id: 'upl_1',
    fileName: 'a.vrca',
    state: 'completed',
    size,
    bytesSent: size,
    startedAt: 1000,
    endedAt: 3000,
    version: { remoteId: 'file_1', number: 1, size },
    error: null,
  }
  const blob = {
    fileId: 'file_1',
    version: 1,
    fileType: 'file',
    versionStatus: 'complete',
    declaredSize: size,
  }
  return {
    files: [{ name: 'a.vrca', size, path: '/a.vrca', sha256: digest }],
    uploads: [upload],
    parts: new Map([['upl_1', { file: 2, signature: 1 }]]),
    testimony: {
      totals: {
        blobs: [{ ...blob, storedBytes: size, sha256 }],
        files: 1,
        completeVersions: 1,
        openVersions: 0,
        receivedBytes,
        declaredBytes: size,
      },
      sendings: [1, 2, partSentTwice].map(sending),
      violations: violation === undefined ? [] : [violation],
    },
    kill: {
      worker: 'worker 1',
      pid: 1,
      at: 2,
      parts: [{ upload: 'upl_1', blob: 'file', number: 1, job: 'upl_1-e1-file-1', isInFlight: true }],
    },
    partSize: MIB,
  }
}

test('what arrived as it was sent is good, and what the kill cost is counted', () => {
  const { problems, arrivals, sentTwice } = judge(evidence())

  expect(problems).toEqual([])
  expect(arrivals).toMatchObject([{ isSame: true, version: 1, ms: 2000 }])
  expect(sentTwice).toBe(MIB)
})

test.for([
  ['other bytes', { sha256: 'cd'.repeat(32) }, "a.vrca: the SHA-256 of what arrived is not the source's"],
  ['more sent twice than was in flight', { receivedBytes: 4 * MIB }, `${2 * MIB} bytes were sent twice`],
  [
    'a part sent twice that nobody died over',
    { partSentTwice: 2 },
    'part 2 of the file of file_1 was sent 2 times',
  ],
  ['a broken rule', { violation: 'putPart: no Content-Length' }, "against VRChat's rules: putPart"],
] as const)('%s is a failure of the demo', ([, change, problem]) => {
  const { problems } = judge(evidence(change))

  expect(problems).toEqual([expect.stringContaining(problem)])
})
