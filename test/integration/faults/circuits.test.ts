import { expect, test } from 'vitest'
import { eventually, openService } from '../../support/service.ts'
import type { Service } from '../../support/service.ts'
import { PATIENCE_MS, patiently } from './patience.ts'
import { PART_SIZE } from './calls.ts'

const twoUsers = {
  users: [
    { username: 'ada', password: 'lovelace-1815' },
    { username: 'bob', password: 'bobs-password' },
  ],
}
const UPLOADS = 6
const FAILURES = 4
/** The shortest of the first pause; each is twice as long as the one before. */
const FIRST_PAUSE_MS = 500

const failuresOf = (service: Service): number =>
  service.fake.ledger.filter(({ user, fault }) => user === 'ada' && fault !== undefined).length

test.concurrent(
  'row 20: 5xx for everything opens the circuit of that account alone, makes no storm, and is over by itself',
  { timeout: PATIENCE_MS },
  async () => {
    await using service = await openService({ workers: 2, fake: twoUsers, limits: { callsAtOnce: 1 } })
    const { fake } = service
    await service.addAccount({ id: 'bob', credentials: { username: 'bob', password: 'bobs-password' } })
    await patiently(service, await service.upload({ name: 'warm', content: 10 }))
    fake.faults.add({ operation: '*', where: { user: 'ada' }, action: { kind: 'status', status: 503 } })
    const since = Date.now()
    const ids: string[] = []
    for (let index = 0; index < UPLOADS; index += 1) {
      ids.push(await service.upload({ name: `file ${index}`, content: 2 * PART_SIZE }))
    }
    await eventually(() => failuresOf(service) >= FAILURES, PATIENCE_MS / 2)
    const lasted = Date.now() - since
    const bobs = await service.upload({ name: 'bobs', content: 2 * PART_SIZE, account: 'bob' })
    expect(await patiently(service, bobs)).toMatchObject({ state: 'completed' })

    // However many wait: pauses of 0.5, 1 and 2 s at the least stood between four failures, and so on.
    expect(lasted).toBeGreaterThan(FIRST_PAUSE_MS * (2 ** (FAILURES - 1) - 1) - 50)
    const most = 1 + Math.log2((Date.now() - since) / FIRST_PAUSE_MS + 1)
    expect(failuresOf(service)).toBeLessThanOrEqual(most)

    fake.faults.clear()
    for (const id of ids) expect(await patiently(service, id)).toMatchObject({ state: 'completed', epoch: 1 })
    expect(fake.files).toHaveLength(UPLOADS + 2)
    expect(fake.openVersions()).toEqual([])
    expect(fake.violations).toEqual([])
  },
)
