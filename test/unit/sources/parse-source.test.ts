import { expect, test } from 'vitest'
import { parseSource } from '#shared/sources/file.ts'

test.each([
  ['file:///data/world.vrcw', '/data/world.vrcw'],
  ['file://localhost/data/world.vrcw', '/data/world.vrcw'],
  ['FILE:///data/world.vrcw', '/data/world.vrcw'],
  ['file:///data/my%20world.vrcw', '/data/my world.vrcw'],
  ['file:///data/my world.vrcw', '/data/my world.vrcw'],
  ['file:///data/%E4%B8%96%E7%95%8C', '/data/世界'],
  ['file:///data/世界', '/data/世界'],
  ['file:///data/50%25%3F%23%5C', '/data/50%?#\\'],
  ['file:///data/../etc/passwd', '/etc/passwd'],
])('%s is %s', (url, path) => {
  expect(parseSource(url)).toEqual({ kind: 'file', path })
})

test.each([
  ['https://example.com/world.vrcw', 'not supported yet'],
  ['http://example.com/world.vrcw', 'not supported yet'],
  ['/data/world.vrcw', 'A source is a URL'],
  ['file:data/world.vrcw', 'A source is a URL'],
  ['ftp://example.com/a', 'A source is a URL'],
  ['', 'A source is a URL'],
  ['file://server/share/a', 'without a host'],
  ['file:///a%00b', 'NUL'],
  ['file:///a%2Fb', 'no usable file URL'],
  ['file:///a%b', 'no usable file URL'],
  ['file:///a%FF', 'no usable file URL'],
  ['file:///a?b', 'write these as'],
  ['file:///a#b', 'write these as'],
  ['file:///a\\b', 'write these as'],
  ['file:///a\nb', 'write these as'],
  ['file:///a ', 'write these as'],
])('%j is refused, as it is no file that can be named: %s', (url, why) => {
  expect(() => parseSource(url)).toThrow(
    expect.objectContaining({
      name: 'FatalError',
      class: 'source-refused',
      message: expect.stringContaining(why),
    }),
  )
})
