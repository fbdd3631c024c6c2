import { expect, test } from 'vitest'
import { startProgram } from '../support/processes.ts'

// Most of it is reading TypeScript, on a machine that may be busy.
const START_MS = 60_000

test(
  'the bench lists what it can measure',
  async () => {
    const { code, out } = await startProgram(['bench/main.ts', '--help']).ended

    expect(code).toBe(0)
    for (const name of [
      'hashing',
      'large',
      'small',
      'cloudreve-large',
      'cloudreve-small',
      'accept',
      'queue',
      'lag',
      'takeover',
      'cancel',
      'memory',
    ]) {
      expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'))
    }
  },
  START_MS,
)

test(
  'the bench refuses a scenario that there is not, and lists those that there are',
  async () => {
    const { code, err, out } = await startProgram(['bench/main.ts', 'smal']).ended

    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('There is no scenario called smal')
    expect(err).toMatch(/^ {2}small /m)
  },
  START_MS,
)
