import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { createSecrets, redact } from '#shared/secrets.ts'

const key = randomBytes(32)

test('what was encrypted is read back, and looks different each time', () => {
  const secrets = createSecrets(key)

  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (plain, owner) => {
      const sealed = secrets.encrypt(plain, owner)
      expect(secrets.decrypt(sealed, owner)).toBe(plain)
      expect(secrets.encrypt(plain, owner)).not.toBe(sealed)
    }),
  )
})

test('a sealed text names its format and its key, and holds nothing readable', () => {
  const { keyId, encrypt } = createSecrets(key)

  const sealed = encrypt('authcookie_1', 'acc_1')

  expect(keyId).toMatch(/^[\da-f]{16}$/)
  expect(sealed).toMatch(new RegExp(`^v1\\.${keyId}\\.[\\w-]+$`))
})

test("another account's secret is not read", () => {
  const { encrypt, decrypt } = createSecrets(key)

  expect(() => decrypt(encrypt('hunter2', 'acc_1'), 'acc_2')).toThrow(
    'was changed, or belongs to something else',
  )
})

test("another key's secret is refused by the key's name", () => {
  const [one, other] = [createSecrets(key), createSecrets(randomBytes(32))]

  expect(() => other.decrypt(one.encrypt('hunter2', 'a'), 'a')).toThrow(
    `another key (${one.keyId}; ours is ${other.keyId})`,
  )
})

test('a change of any character is noticed, without saying what the content was', () => {
  const { encrypt, decrypt } = createSecrets(key)
  const sealed = encrypt('hunter2 and more', 'a')

  for (let at = 0; at < sealed.length; at++) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`
    // The last character carries spare bits: another one may stand for the same bytes.
    if (
      Buffer.from(changed.slice(20), 'base64url').equals(Buffer.from(sealed.slice(20), 'base64url')) &&
      at >= 20
    )
      continue
    expect(() => decrypt(changed, 'a')).toThrow(/^(?!.*hunter2)/)
  }
  for (const cut of [0, 3, 20, 30, sealed.length - 4])
    expect(() => decrypt(sealed.slice(0, cut), 'a')).toThrow(/stored secret/)
})

test('a key of another length is refused', () => {
  expect(() => createSecrets(randomBytes(16))).toThrow('32 bytes')
})

test.for([
  [
    'PUT https://s3.test/key?X-Amz-Signature=abc&partNumber=1 → 403',
    'PUT https://s3.test/key?[redacted] → 403',
  ],
  ['redis://:hunter2@127.0.0.1:6379', 'redis://[redacted]@127.0.0.1:6379'],
  [
    'PUT /key?partNumber=1&X-Amz-Credential=me/2026&x=1',
    'PUT /key?partNumber=1&X-Amz-Credential=[redacted]&x=1',
  ],
  ['/a?Signature=abc%2F', '/a?Signature=[redacted]'],
  ['/a?sign=abc:0', '/a?sign=[redacted]'],
  ['Authorization: Basic dXNlcjpwYXNz\r\nHost: a', 'Authorization: [redacted]\r\nHost: a'],
  ['{"authorization":"Bearer abc.def","a":1}', '{"authorization":"[redacted]","a":1}'],
  ['cookie: auth=x; twoFactorAuth=y', 'cookie: [redacted]'],
  ['{"set-cookie":["auth=x; Path=/","b=c"],"d":2}', '{"set-cookie":["[redacted]"],"d":2}'],
  ['sent Bearer abcdefghijkl twice', 'sent Bearer [redacted] twice'],
  ['jar: auth=authcookie_12-ab; Path=/', 'jar: auth=[redacted]; Path=/'],
  ['authcookie_0123-4567 expired', 'authcookie_[redacted] expired'],
  ['got eyJhbGciOiJI.eyJzdWIiOiIx.SflKxw-_ back', 'got [redacted] back'],
  ['{"username":"me","password":"hunter2"}', '{"username":"me","password":"[redacted]"}'],
  [
    '{"access_token":"abc","refresh_token":"def"}',
    '{"access_token":"[redacted]","refresh_token":"[redacted]"}',
  ],
] as const)('redacts %s', ([text, redacted]) => {
  expect(redact(text)).toBe(redacted)
})

test.for([
  'GET https://api.vrchat.cloud/api/1/file/file_1 → 404 Not Found',
  'PUT part 7 → 403 AccessDenied',
  'waiting for a code (why? it was asked for)',
  '/srv/builds/authorized/cookies.zip',
])('leaves %s alone', (text) => {
  expect(redact(text)).toBe(text)
})

test('redacting twice changes nothing more, and JSON stays JSON', () => {
  const pieces = [
    'https://u:p@h/a?b=c',
    'cookie: a',
    '"',
    "'",
    '\\',
    '\n',
    ' ',
    'authcookie_1',
    'token',
    ']',
    '[',
    ':',
    '"set-cookie":["',
  ]
  const text = fc.array(fc.constantFrom(...pieces)).map((chosen) => chosen.join(''))
  const name = fc.constantFrom('cookie', 'set-cookie', 'token', 'a')
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(text, fc.array(text))), (value) => {
      const once = redact(JSON.stringify(value))
      expect(redact(once)).toBe(once)
      expect(Object.keys(JSON.parse(once))).toEqual(Object.keys(value))
    }),
    { numRuns: 1_000 },
  )
})

test.for(
  [
    ['https://a', 'a.', '://@', '?X-a', '?sign=', 'cookie: ', 'cookie:', 'cookie ', ' ', 'Bearer ', 'auth='],
    [
      'authcookie_',
      'eyJ-',
      'eyJaaaaaaaaa.',
      '"token":"',
      '"token" ',
      '"set-cookie":["',
      '"set-cookie":["",',
      '\\',
      '"',
    ],
  ].flat(),
)('a megabyte of %s takes no longer than a blink', (piece) => {
  const text = piece.repeat(1_000_000 / piece.length)

  const started = performance.now()
  redact(text)

  // Quadratic, it takes a minute.
  expect(performance.now() - started).toBeLessThan(10_000)
})
