import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createVrchat } from '#shared/providers/vrchat/index.ts'
import { openService } from '../../support/service.ts'
import { PATIENCE_MS, patiently } from './patience.ts'
import { PART_SIZE, TOTP_SECRET } from './calls.ts'

const user = { username: 'ada', password: 'lovelace-1815' }

test.concurrent.each([-15, 15])(
  'row 26: with a clock %i minutes off codes are right, what was made is found, and URLs are asked for again',
  { timeout: PATIENCE_MS },
  async (minutes) => {
    await using provider = createVrchat({
      now: () => Date.now() + minutes * 60_000,
      timing: { lagMs: 30, retryMs: 20 },
    })
    await using service = await openService({
      providers: [provider],
      fake: { users: [{ ...user, secondFactor: { kind: 'totp', secret: TOTP_SECRET } }] },
      credentials: { ...user, totpSecret: TOTP_SECRET },
    })
    const { fake } = service
    fake.faults.add({ operation: 'createFile', nth: 1, action: 'lost-reply' })
    fake.faults.add({ operation: 'putPart', nth: [1, 2], action: 'expired' })
    const content = randomBytes(3 * PART_SIZE)
    const record = await patiently(service, await service.upload({ name: 'a.vrcw', content }))

    expect(record).toMatchObject({ state: 'completed', epoch: 1, version: { number: 1 } })
    const sha256 = createHash('sha256').update(content).digest('hex')
    expect(await fake.sha256Of(record.version?.remoteId ?? '', 1, 'file')).toBe(sha256)
    const counts = ['login', 'createFile', 'createFileVersion'] as const
    expect(counts.map((operation) => service.requests(operation).length)).toEqual([1, 1, 1])
    // A code may grow too old on its way through a busy machine, but not the one after it as well.
    expect(service.requests('verifyTotp').length).toBeLessThanOrEqual(2)
    expect(fake.violations).toEqual([])
  },
)
