import { array, assert, boolean, constantFrom, oneof, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { FatalError } from '#shared/errors.ts'
import {
  acceptedUri,
  checkName,
  childOf,
  nameOf,
  normaliseUri,
  parentOf,
  resolveUri,
  withName,
} from '#shared/providers/cloudreve/site/uri.ts'

const FORBIDDEN = ['\\', ':', '*', '?', '"', '<', '>', '|']

const name = string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter(
  (text) => checkName(text) === undefined,
)
const names = array(name, { maxLength: 4 })
const root = constantFrom('cloudreve://my', 'cloudreve://a1B2@share', 'cloudreve://u7@my')

/** As careful people write it: only what would be misread is escaped. */
const asPeopleWrite = (text: string): string => text.replaceAll('%', '%25')

const failureOf = (work: () => unknown): FatalError => {
  try {
    work()
  } catch (error) {
    if (error instanceof FatalError) return error
    throw error
  }
  throw new Error('it was not refused')
}

test('a file in a folder keeps its name, whatever it is called and however the folder is written', () => {
  assert(
    property(root, names, name, boolean(), (root, folders, file, escape) => {
      const write = escape ? encodeURIComponent : asPeopleWrite
      const given = [root, ...folders.map(write), ''].join('/')
      const uri = resolveUri(given, file)
      expect(uri).toBe(
        [root, ...folders, file].map((part, at) => (at === 0 ? part : encodeURIComponent(part))).join('/'),
      )
      expect(nameOf(uri)).toBe(file)
      expect(resolveUri(uri, 'other')).toBe(uri)
    }),
  )
})

test('parents, children and neighbours fit together', () => {
  assert(
    property(root, names, name, name, (root, folders, one, other) => {
      const folder = normaliseUri([root, ...folders.map(encodeURIComponent)].join('/'), 'folder')
      const uri = childOf(folder, one)
      expect(parentOf(uri)).toBe(folder)
      expect(withName(uri, other)).toBe(childOf(folder, other))
      expect(nameOf(withName(uri, other))).toBe(other)
    }),
  )
})

test('whatever comes in is either accepted and stays as it is, or refused with the name of the field', () => {
  // Building the arbitrary of all code points takes a second; these are the odd ones.
  const signs = constantFrom('/', '%', '#', '?', '@', ':', ' ', 'ü', '😀', '\ud83d', '\0')
  const odd = oneof(signs, constantFrom('cloudreve://', 'my', '%41', '%2f', '..'))
  const text = array(oneof(odd, string({ unit: 'grapheme-ascii' })), { maxLength: 8 })
  assert(
    property(text, (parts) => {
      const given = `cloudreve://my/${parts.join('')}`
      const isAccepted = acceptedUri(given) === undefined
      const settled = (): boolean =>
        resolveUri(resolveUri(given, 'name'), 'other') === resolveUri(given, 'name')
      expect(isAccepted ? settled() : failureOf(settled).message.startsWith('destination.uri ')).toBe(true)
    }),
  )
})

test.each([
  ['cloudreve://my/', 'a#b c %41+ü.zip', 'cloudreve://my/a%23b%20c%20%2541%2B%C3%BC.zip'],
  ['cloudreve://my', 'a.bin', 'cloudreve://my/a.bin'],
  ['Cloudreve://MY/Mixed Case/', 'A.bin', 'cloudreve://my/Mixed%20Case/A.bin'],
  ['cloudreve://my/C# + more/😀', '', 'cloudreve://my/C%23%20%2B%20more/%F0%9F%98%80'],
  ['cloudreve://my/100%25/%41', '', 'cloudreve://my/100%25/A'],
  ["cloudreve://my/it's (1)!~", '', "cloudreve://my/it's%20(1)!~"],
  ['cloudreve://my/.hidden/...', '', 'cloudreve://my/.hidden/...'],
  ['cloudreve://my/%e2%82%ac', '', 'cloudreve://my/%E2%82%AC'],
  ['cloudreve://aB3@share/in/', 'x', 'cloudreve://aB3@share/in/x'],
])('%s with %j goes to %s', (given, file, uri) => {
  expect(resolveUri(given, file)).toBe(uri)
})

test('both Unicode forms of a name are names of their own', () => {
  const [composed, decomposed] = ['\u00fc', 'u\u0308'].map((file) => resolveUri('cloudreve://my/', file))
  expect(composed).toBe('cloudreve://my/%C3%BC')
  expect(decomposed).toBe('cloudreve://my/u%CC%88')
})

test.each([
  ['/backups/', 'must begin with cloudreve://my/'],
  ['https://drive.example.org/home', 'must begin with cloudreve://my/'],
  ['cloudreve:/my/a', 'must begin with cloudreve://my/'],
  ['cloudreve://trash/a', 'nothing can be uploaded anywhere else'],
  ['cloudreve://shared_with_me/a', 'nothing can be uploaded anywhere else'],
  ['cloudreve://share/a', "needs the share's id"],
  ['cloudreve://abc:secret@share/a', 'must hold no password'],
  ['cloudreve://a-b@share/a', 'an id before the @ that is none'],
  ['cloudreve://my/a//b', 'has an empty name'],
  ['cloudreve://my//', 'has an empty name'],
  ['cloudreve://my/a/../b', 'has .., which is no name'],
  ['cloudreve://my/./b', 'has ., which is no name'],
  ['cloudreve://my/%2e%2E/b', 'has .., which is no name'],
  ['cloudreve://my/100% sure', 'a percent sign is written %25'],
  ['cloudreve://my/%f', 'has a % that begins no escape'],
  ['cloudreve://my/a%2Fb', 'has %2F in it'],
  ['cloudreve://my/%ff', 'no UTF-8'],
  ['cloudreve://my/%ed%a0%80', 'no UTF-8'],
  ['cloudreve://my/a?name=b', 'allows no ? in names'],
  ['cloudreve://my/a%3Fb', 'allows no ? in names'],
  ['cloudreve://my/a:b', 'allows no : in names'],
  ['cloudreve://my/a\nb', 'control character'],
  ['cloudreve://my/a%00b', 'control character'],
  ['cloudreve://my/\ud83d', 'half a surrogate pair'],
  [`cloudreve://my/${'é'.repeat(128)}`, 'a name of 256 bytes'],
  [`cloudreve://my/${'a'.repeat(20_000)}`, 'longer than 16384 characters'],
])('%j is refused: %s', (given, why) => {
  const error = failureOf(() => resolveUri(given, 'a'))
  expect(error).toMatchObject({ class: 'bad-request' })
  expect(error.message).toContain(why)
  expect(error.message).toContain('destination.uri')
  expect(error.message).not.toContain('secret')
})

test('a file that can not keep its name is refused, and what to do is said', () => {
  for (const character of FORBIDDEN) {
    const { message } = failureOf(() => resolveUri('cloudreve://my/', `a${character}b`))
    expect(message).toContain(`allows no ${character} in names`)
    expect(message).toContain('at the end of destination.uri')
  }
  expect(failureOf(() => resolveUri('cloudreve://my/', '')).message).toContain('an empty name')
})

test('a name may have 255 bytes, however many characters that are', () => {
  expect(checkName('a'.repeat(255))).toBeUndefined()
  expect(checkName('a'.repeat(256))).toContain('256 bytes')
  expect(checkName(`${'😀'.repeat(63)}abc`)).toBeUndefined()
  expect(checkName('😀'.repeat(64))).toContain('256 bytes')
  expect(() => withName('cloudreve://my/a', 'b'.repeat(256))).toThrow('256 bytes')
})
