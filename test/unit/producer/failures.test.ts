import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { problemOf } from '#producer/failures.ts'
import { Problem } from '#producer/problem.ts'
import {
  AccountParked,
  FatalError,
  Missing,
  NeedsPerson,
  ProviderTrouble,
  TryLater,
  Unreachable,
} from '#shared/errors.ts'
import { outsideRoots } from '#shared/sources/refusal.ts'

const coded = (code: string): Error => Object.assign(new Error(code), { code })

class ReplyError extends Error {
  override name = 'ReplyError'
}

describe('what providers and sources throw has a status', () => {
  test.each([
    ['a refusal that stands', new FatalError('refused', 'no'), 422],
    ['what is not there', new Missing('no'), 404],
    ['a source elsewhere', outsideRoots('/etc/passwd', ['/srv']), 403],
    ['a person is needed', new NeedsPerson('needs-2fa', 'a code'), 409],
    ['a pause', new AccountParked('slow down', 1500), 429],
    ['a wait', new TryLater('later', 1), 503],
    ['nobody there', new Unreachable('https://x', 'no answer'), 502],
    ['trouble there', new ProviderTrouble('code -1'), 502],
    ['no answer in time', new DOMException('x', 'TimeoutError'), 504],
  ])('%s', (_, error, status) => {
    expect(problemOf(error)).toMatchObject({ status, body: { status } })
  })

  test('with the time to come back in whole seconds', () => {
    expect(problemOf(new AccountParked('slow down', 1500)).headers).toEqual({ 'retry-after': '2' })
    expect(problemOf(new TryLater('later', 1)).headers).toEqual({ 'retry-after': '1' })
  })

  test('with where nobody answered', () => {
    const { detail } = problemOf(new Unreachable('https://x.test', 'GET /a → ECONNREFUSED')).body
    expect(detail).toContain('https://x.test: GET /a → ECONNREFUSED; is the address right')
  })

  test('with the state of the account', () => {
    expect(problemOf(new NeedsPerson('needs-login', 'x')).body.state).toBe('needs-login')
  })

  test('without the secrets of their messages', () => {
    const problem = problemOf(
      new FatalError('refused', 'PUT https://s3/a?X-Signature=abc: auth=authcookie_abc'),
    )

    expect(problem.body.detail).not.toMatch(/abc/)
  })
})

describe('Redis that is away or full is a 503 to come back from', () => {
  test.each([
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    new Error('Connection is closed.'),
    new Error('Command timed out'),
    coded('ECONNREFUSED'),
    coded('ECONNRESET'),
    new ReplyError("OOM command not allowed when used memory > 'maxmemory'."),
    new ReplyError('MISCONF Redis is configured to save RDB snapshots'),
    new ReplyError("READONLY You can't write against a read only replica."),
    new ReplyError('LOADING Redis is loading the dataset in memory'),
  ])('%s', (error) => {
    const problem = problemOf(error)

    expect(problem.status).toBe(503)
    expect(problem.headers['retry-after']).toBe('2')
  })

  test('as ioredis really says it', async () => {
    const redis = new Redis({
      port: 1,
      enableOfflineQueue: false,
      lazyConnect: true,
      retryStrategy: () => null,
    })
    redis.on('error', () => {})

    const error: unknown = await redis.get('x').catch((error: unknown) => error)

    expect(problemOf(error).status).toBe(503)
  })
})

test('the unforeseen is a 500 that says nothing', () => {
  const problem = problemOf(new ReplyError('ERR Error running script (token=abc)'))

  expect(problem).toMatchObject({ status: 500 })
  expect(JSON.stringify(problem.body)).not.toMatch(/ERR|abc/)
})

test('what is a problem already stays as it is', () => {
  const problem = new Problem(409, 'taken', { upload: 'upl_a' })

  expect(problemOf(problem)).toBe(problem)
  expect(problem.body).toMatchObject({ title: 'Conflict', upload: 'upl_a' })
})

test('what is not JSON is told so without a piece of it', () => {
  const error = Object.assign(new Error('Unexpected token, "{"password":"abc'), {
    statusCode: 400,
    code: 'FST_ERR_CTP_INVALID_JSON_BODY',
  })

  expect(problemOf(error).body).toMatchObject({ status: 400, detail: 'The body is not JSON' })
})
