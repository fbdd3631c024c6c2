import { describe, expect, test } from 'vitest'
import { attachmentName } from '#producer/cli/attachment-name.ts'
import { formatAge, formatBytes, formatClock, formatPercent } from '#producer/cli/terminal/format.ts'
import { renderFields, renderTable } from '#producer/cli/terminal/table.ts'
import { shorten, widthOf } from '#producer/cli/terminal/text.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [1024 * 1024 - 1, '1.0 MiB'],
  [303_055_180, '289 MiB'],
  [5 * 2 ** 40, '5.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test.each([
  [0, '0:00'],
  [4_200, '0:05'],
  [754_000, '12:34'],
  [10_921_000, '3:02:01'],
])('%d ms are %s on the clock', (ms, text) => {
  expect(formatClock(ms)).toBe(text)
})

test.each([
  [0, 'now'],
  [59_999, '59 s'],
  [3_600_000, '1 h'],
  [3_456_000_000, '40 d'],
])('%d ms ago is %s', (ms, text) => {
  expect(formatAge(ms)).toBe(text)
})

test('a fraction is 100 % only when nothing is missing', () => {
  expect([0, 0.999, 1].map(formatPercent)).toEqual(['0%', '99%', '100%'])
})

describe('a table', () => {
  const columns = [
    { title: 'FILE', shrinks: true },
    { title: 'SIZE', align: 'right' },
  ] as const
  const rows = [
    ['a-very-long-name-of-a-world.vrcw', '12 B'],
    ['世界.vrcw', '1.0 MiB'],
  ]

  test('has its columns below each other', () => {
    expect(renderTable(columns, rows)).toEqual([
      'FILE                                 SIZE',
      'a-very-long-name-of-a-world.vrcw     12 B',
      '世界.vrcw                         1.0 MiB',
    ])
  })

  test('is never wider than the terminal', () => {
    const lines = renderTable(columns, rows, 24)

    expect(lines.map(widthOf)).toEqual([24, 24, 24])
    expect(lines[1]).toBe('a-very-long-na…     12 B')
  })

  test('passes no terminal sequences on', () => {
    expect(renderTable([{ title: 'A' }], [['\u001b]0;title\u0007']])[1]).toBe('\ufffd]0;title\ufffd')
  })
})

test('fields without a value are left out', () => {
  expect(
    renderFields([
      ['id', 'upl_1'],
      ['error', undefined],
      ['state', 'queued'],
    ]),
  ).toEqual(['id     upl_1', 'state  queued'])
})

test('a text is cut between characters as a person sees them', () => {
  expect(shorten('👨‍👩‍👧‍👦 family', 5)).toBe('👨‍👩‍👧‍👦 f…')
  expect(widthOf('世界 e\u0301')).toBe(6)
})

describe('the name of a download', () => {
  test.each([
    [`attachment; filename="_.vrcw"; filename*=UTF-8''w%C3%B6rld.vrcw`, 'wörld.vrcw'],
    ['attachment; filename="world.vrcw"', 'world.vrcw'],
    [`attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd`, 'passwd'],
    [`attachment; filename*=UTF-8''.bashrc`, 'bashrc'],
    [`attachment; filename="C:\\evil\\x.dll"`, 'x.dll'],
    [`attachment; filename=".."`, undefined],
    [undefined, undefined],
  ])('in %s is %s', (header, name) => {
    expect(attachmentName(header)).toBe(name)
  })
})
