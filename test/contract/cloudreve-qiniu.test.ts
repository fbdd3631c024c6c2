import { expect, test } from 'vitest'
import { testEarlySuccess, testExpiry, testStoreRefusals } from './transport-refusals.ts'
import { stageRunner } from './transport-drive.ts'
import { openTransport } from './transport-stage.ts'
import { testTransport } from './transport.ts'

testTransport('qiniu')
testStoreRefusals('qiniu')
testExpiry('qiniu')
testEarlySuccess('qiniu')

const run = stageRunner((opening) => openTransport('qiniu', opening), 'qiniu')

test.each([
  [612, 'StartOver'],
  [631, 'Blamed'],
  [599, 'Unreachable'],
])('qiniu: its own status %i is no trouble of a server: %s', (status, name) =>
  run(async (stage, begin) => {
    const sent = await begin()
    const action = { kind: 'status', status, body: { error: 'canary' } } as const
    stage.fake.faults.add({ operation: 'qiniu.putPart', action })
    expect(await sent.failure(sent.send(1))).toMatchObject({ name })
  }),
)
