import { expect, test } from 'vitest'

import { createLog, uploadLog } from '#shared/log.ts'

function setup() {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    role: 'worker',
    destination: { write: (line) => void lines.push(line) },
  })
  return { log, lines }
}

test('an error tells message, code, class and causes, and nothing that a library hung on it', () => {
  const { log, lines } = setup()
  const cause = Object.assign(new Error('GET https://s3.test/a?X-Amz-Signature=hunter2 → 403'), {
    code: 'E403',
  })
  const error = Object.assign(new Error('part 7 failed', { cause }), {
    class: 'part-failed',
    command: { args: ['hunter2'] },
  })

  log.error(error)

  const line = JSON.parse(lines[0] ?? '')
  expect(line.err).toMatchObject({
    message: 'part 7 failed',
    class: 'part-failed',
    cause: { message: 'GET https://s3.test/a?[redacted] → 403', code: 'E403' },
  })
  expect(line.err.stack).toContain('log.test.ts')
  expect(lines.join()).not.toContain('hunter2')
})

test('a cause that goes in circles ends', () => {
  const { log, lines } = setup()
  const error = new Error('round')
  error.cause = error

  log.error(error)

  expect(lines).toHaveLength(1)
})

test('secrets in messages, fields and nested fields stay out', () => {
  const { log, lines } = setup()

  log.info(
    { password: 'hunter2', account: { login: { jar: 'hunter2' } }, url: 'https://a/b?c=hunter2' },
    'cookie: hunter2',
  )

  expect(lines.join()).not.toContain('hunter2')
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    url: 'https://a/b?[redacted]',
    msg: 'cookie: [redacted]',
  })
})

test('lines about an upload name it and its state, and its child lines too', () => {
  const { log, lines } = setup()

  uploadLog(log, { id: 'upl_1', state: 'transferring' }).child({ part: 7 }).info('sent')

  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    upload: 'upl_1',
    state: 'transferring',
    part: 7,
    msg: 'sent',
  })
})

test('what is below the level is not written', () => {
  const { log, lines } = setup()

  log.debug('x')

  expect(lines).toEqual([])
})
