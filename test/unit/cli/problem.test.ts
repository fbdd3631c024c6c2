import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseProblem, Refused } from '#producer/cli/api/problem.ts'
import { unusable } from '#producer/problem.ts'
import { invalid } from '#producer/validation.ts'
import { createRequests } from '#producer/requests.ts'
import { createProviderList } from '#shared/providers/index.ts'

const shown = (status: number, body: unknown): string =>
  new Refused(status, parseProblem(JSON.stringify(body))).message

test('one bad field is one line', () => {
  const { status, body } = unusable('account', 'there is no account x: add it first')

  expect(shown(status, body)).toBe('account: there is no account x: add it first (422)')
})

test('every bad field has its line', () => {
  const requests = createRequests(createProviderList())
  const checked = requests.upload.safeParse({
    provider: 'vrchat',
    account: 'A B',
    source: '',
    destination: { fileId: 'x' },
  })
  const problem = invalid(checked.error ?? new z.ZodError([]))

  const lines = shown(problem.status, problem.body).split('\n')

  expect(lines[0]).toBe('The service refused these fields (422)')
  expect(lines.slice(1).map((text) => text.split(':')[0])).toEqual(
    expect.arrayContaining(['  - account', '  - source', '  - destination.fileId']),
  )
})

test('a detail that says more than the fields is kept', () => {
  const errors = [{ path: 'clock', message: 'differs' }]

  expect(shown(503, { title: 'Unavailable', detail: 'Not ready', errors })).toBe(
    'Not ready (503)\n  - clock: differs',
  )
})

test('terminal sequences from the other side are not passed on', () => {
  expect(shown(404, { detail: 'There is no \u001b[2Jfile \u202eexe.txt' })).toBe(
    'There is no \ufffd[2Jfile \ufffdexe.txt (404)',
  )
})

test('what is no problem document is named by its status', () => {
  expect(new Refused(404, parseProblem('<html>nginx</html>')).message).toMatch(
    /is this the address of Stevedore\? \(404\)/,
  )
})
