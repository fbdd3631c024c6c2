import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { createErrorLog } from '#worker/queue-errors.ts'

afterEach(() => void vi.useRealTimers())

function setup() {
  vi.useFakeTimers({ toFake: ['performance'] })
  const lines: string[] = []
  const log = pino({}, { write: (line) => void lines.push(line) })
  return { lines, report: createErrorLog(log, 'part') }
}

test('the same of many jobs is said once, and again when it goes on', () => {
  const { lines, report } = setup()
  for (const id of ['upl_a-e1-file-1', 'upl_b-e1-file-2'])
    report(new Error(`could not renew lock for job ${id}`))
  report(new Error('something else'))
  vi.advanceTimersByTime(9000)
  report(new Error('something else'))
  expect(lines).toHaveLength(2)

  vi.advanceTimersByTime(2000)
  report(new Error('something else'))

  expect(lines).toEqual([
    expect.stringContaining('queue part: could not renew lock for job upl_a-e1-file-1'),
    expect.stringContaining('queue part: something else'),
    expect.stringContaining('queue part: something else'),
  ])
})

test('a connection that is lost is said elsewhere', () => {
  const { lines, report } = setup()
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { syscall: 'connect' })
  report(refused)
  report(new AggregateError([refused]))
  report(new Error('Connection is closed.'))
  report(new Error("Socket timeout. Expecting data, but didn't receive any in 30000ms."))

  expect(lines).toEqual([])
})
