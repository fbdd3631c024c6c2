import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSessions, SESSION_S } from '#producer/dashboard/sessions.ts'
import { createSecrets } from '#shared/secrets.ts'

const secrets = createSecrets(randomBytes(32))

test('a session is read back until it is over, and does not show what is in it', () => {
  let now = 1000
  const sessions = createSessions(secrets, () => now)

  const cookie = sessions.open('hash-of-token')

  expect(cookie).not.toContain('hash')
  expect(sessions.read(cookie)).toBe('hash-of-token')
  now += SESSION_S * 1000 + 1
  expect(sessions.read(cookie)).toBeUndefined()
})

test('what was made or changed elsewhere is no session', () => {
  const sessions = createSessions(secrets)
  const cookie = sessions.open('x')

  expect(createSessions(createSecrets(randomBytes(32))).read(cookie)).toBeUndefined()
  expect(sessions.read(`${cookie.slice(0, -2)}AA`)).toBeUndefined()
  expect(sessions.read(undefined)).toBeUndefined()
  expect(sessions.read(secrets.encrypt('{"token":"x","until":9e99}', 'main'))).toBeUndefined()
})
