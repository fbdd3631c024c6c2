import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findAddress } from '#producer/cli/api/connect.ts'
import { at } from '#producer/cli/api/client.ts'

const folder = mkdtempSync(join(tmpdir(), 'stevedore-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))
const given = { url: undefined, 'token-file': undefined, 'data-dir': folder }

test.each([
  [{}, 'http://127.0.0.1:7070'],
  [{ STEVEDORE_HOST: '10.0.0.7', STEVEDORE_PORT: '80' }, 'http://10.0.0.7:80'],
  [{ STEVEDORE_HOST: '0.0.0.0' }, 'http://127.0.0.1:7070'],
  [{ STEVEDORE_HOST: '::' }, 'http://[::1]:7070'],
  [{ STEVEDORE_HOST: 'fd00::1' }, 'http://[fd00::1]:7070'],
])('the address comes from the settings %j', (env, url) => {
  expect(findAddress(given, env).url).toBe(url)
})

test('a flag goes before the settings, and may have a path', () => {
  const { url } = findAddress(
    { ...given, url: 'https://uploads.example/stevedore/' },
    { STEVEDORE_HOST: 'elsewhere' },
  )

  expect(url).toBe('https://uploads.example/stevedore')
})

test('the token comes from a flag, else the environment, else the data directory', () => {
  const file = join(folder, 'my-token')
  writeFileSync(file, 'token-by-flag-0123456789\n')
  const env = { STEVEDORE_TOKEN: 'token-by-environment-0123' }

  expect(findAddress(given, {})).toMatchObject({ tokenFrom: join(folder, 'token') })
  expect(findAddress(given, {}).token).toBeUndefined()
  writeFileSync(join(folder, 'token'), 'token-of-the-folder-0123\n')
  expect(findAddress(given, {}).token).toBe('token-of-the-folder-0123')
  expect(findAddress(given, env).token).toBe('token-by-environment-0123')
  expect(findAddress({ ...given, 'token-file': file }, env).token).toBe('token-by-flag-0123456789')
})

test('a file that is no token is not sent anywhere', () => {
  const file = join(folder, 'key.pem')
  writeFileSync(file, '-----BEGIN KEY-----\nabc\n')

  expect(() => findAddress({ ...given, 'token-file': file }, {})).toThrow('holds no token')
})

test('values in a path stay within their segment', () => {
  expect(at`/v1/accounts/${'a/../b?c'}/files/${3}`).toBe('/v1/accounts/a%2F..%2Fb%3Fc/files/3')
  expect(() => at`/v1/accounts/${'..'}`).toThrow('There is nothing called ..')
})
