import { expect, test } from 'vitest'
import { isDue, tokenAnswer, tokensOf, type Tokens } from '#shared/providers/cloudreve/login/tokens.ts'
import { atLeast } from '#shared/providers/cloudreve/site/version.ts'

const MINUTE = 60_000
const lasting = (ms: number): Tokens => ({ access: 'a', refresh: 'r', since: 0, accessUntil: ms })

test.each([
  [60, 49, false],
  [60, 51, true],
  [60, 61, true],
  // Half of its life, when that is less than ten minutes.
  [10, 4, false],
  [10, 6, true],
])('a token that lasts %i minutes is renewed after %i: %s', (life, after, due) => {
  expect(isDue(lasting(life * MINUTE), after * MINUTE)).toBe(due)
})

test('times are read as Go writes them', () => {
  const answer = tokenAnswer.parse({
    access_token: 'a',
    refresh_token: 'r',
    access_expires: '2026-11-22T06:00:00.123456789+01:00',
    refresh_expires: '2026-12-06T06:00:00Z',
  })
  expect(tokensOf(answer, 5)).toEqual({
    access: 'a',
    refresh: 'r',
    since: 5,
    accessUntil: Date.parse('2026-11-22T05:00:00.123Z'),
  })
})

test.each([
  ['4.18.0', '4.18.0', true],
  ['4.18.0-pro', '4.18.0', true],
  ['v4.18.1', '4.18.0', true],
  ['5.0.0', '4.18.0', true],
  ['4.9.12', '4.18.0', false],
  ['4.17.9-pro', '4.18.0', false],
  // Before the release of its number.
  ['4.18.0-beta.1', '4.18.0', false],
  ['4.19.0-beta.1', '4.18.0', true],
  ['', '4.18.0', false],
  ['latest', '4.18.0', false],
])('%s is at least %s: %s', (version, least, is) => {
  expect(atLeast(version, least)).toBe(is)
})
