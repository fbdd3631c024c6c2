import { expect, test } from 'vitest'
import type { Operation } from '../../fakes/cloudreve/server.ts'
import { CHUNK, openDrive } from '../../support/cloudreve-service.ts'
import { attemptsUsed } from '../../support/service.ts'
import { PATIENCE_MS, patiently, steady } from './patience.ts'

const RETRY_AFTER_MS = 1000
/** Times are taken on both sides of a connection, in whole ms. */
const EARLY = 30

const requests = [
  'remote.chunk',
  'ks3.complete',
  'oss.complete',
  'cos.complete',
  'obs.complete',
  'qiniu.putPart',
  'qiniu.complete',
  'upyun.post',
] as const satisfies readonly Operation[]

// S3 and OneDrive are in the matrix, with all forms that Retry-After has.
test.concurrent.each(requests)(
  'row 21: after 429 to %s nothing of the account is sent until Retry-After, neither to the store nor to the site',
  { timeout: PATIENCE_MS },
  async (operation) => {
    const limits = { callsAtOnce: 1, partsAtOnce: 1 }
    await using drive = await openDrive({ env: steady, limits })
    const headers = { 'retry-after': String(RETRY_AFTER_MS / 1000) }
    drive.fake.faults.add({ operation, nth: 1, action: { kind: 'status', status: 429, headers } })
    const to = `cloudreve://my/${operation.split('.')[0]}/`
    const record = await patiently(drive, await drive.upload({ name: 'a.bin', content: CHUNK + 1, to }))

    expect(record).toMatchObject({ state: 'completed', epoch: 1 })
    await drive.assertArrived(record)
    const told = drive.fake.ledger.find(({ fault }) => fault !== undefined)
    const next = drive.fake.ledger[told?.sequence ?? 0]
    expect((next?.time ?? 0) - (told?.endedAt ?? 0)).toBeGreaterThanOrEqual(RETRY_AFTER_MS - EARLY)
    expect(await attemptsUsed(drive)).toBe(0)
    expect(drive.fake.violations).toEqual([])
  },
)
