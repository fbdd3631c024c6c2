import { expect, test } from 'vitest'
import { httpDefaults } from '#shared/http.ts'
import { defaultTiming } from '#shared/providers/vrchat/deps.ts'

const MINUTE = 60_000

// That it watches each kind of call is shown by every cell that gets no answer: their only bound is this one.
test('row 19: nothing is waited for longer than a minute without a byte', () => {
  const { stallMs, connectMs, answerMs } = httpDefaults
  const { apiMs, statusMs } = defaultTiming
  expect(Math.max(stallMs, connectMs, answerMs, apiMs, statusMs)).toBeLessThanOrEqual(MINUTE)
})
