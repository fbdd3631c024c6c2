import { expect, test } from 'vitest'
import { refusalOf } from '#shared/redis/refusal.ts'

class ReplyError extends Error {
  override name = 'ReplyError'
}

const script = 'ERR Error running script (call to f_0a1b): @user_script:12: @user_script: 12: -'

test.each([
  ['OOM', "OOM command not allowed when used memory > 'maxmemory'."],
  ['OOM', "OOM command not allowed when used memory > 'maxmemory'. script: 0a1b, on @user_script:12."],
  ['OOM', `${script}OOM command not allowed when used memory > 'maxmemory'.`],
  ['MISCONF', 'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist'],
  ['MISCONF', 'MISCONF Errors writing to the AOF file: No space left on device'],
  ['READONLY', "READONLY You can't write against a read only replica."],
  ['READONLY', `${script}READONLY You can't write against a read only replica.`],
  [
    'READONLY',
    'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  ],
  ['NOREPLICAS', 'NOREPLICAS Not enough good replicas to write.'],
  ['LOADING', 'LOADING Redis is loading the dataset in memory'],
  ['BUSY', 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.'],
])('%s is what "%s" means', (code, message) => {
  const refusal = refusalOf(new ReplyError(message))

  expect(refusal?.code).toBe(code)
  expect(refusal?.reason).toMatch(/^[a-z]/)
})

test.each([
  new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value'),
  new ReplyError('BUSYGROUP Consumer Group name already exists'),
  new ReplyError('EXECABORT Transaction discarded because of previous errors.'),
  new ReplyError('ERR user said: OOM now'),
  new ReplyError('UNBLOCKED client unblocked via CLIENT UNBLOCK'),
  new Error("OOM command not allowed when used memory > 'maxmemory'."),
  'OOM command not allowed',
])('%s is none', (error) => {
  expect(refusalOf(error)).toBeUndefined()
})
