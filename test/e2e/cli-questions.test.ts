import { describe, expect, test } from 'vitest'
import { FILE_ID, startStandIn, TOKEN } from '../unit/cli/stand-in.ts'
import { openSession, runHere } from '../unit/cli/terminal.ts'

const env = { STEVEDORE_TOKEN: TOKEN }

describe('a person is asked', () => {
  test.each([
    ['y', 0, 1],
    ['yes', 0, 1],
    ['n', 1, 0],
    ['', 1, 0],
  ])('before a version is deleted: %j', async (typed, exitCode, deleted) => {
    await using api = await startStandIn()
    const { io, answer, err } = openSession(env)

    const running = runHere(['delete', FILE_ID, '2', '--url', api.url], io)
    await answer(/for good\?/, `${typed}\r`)

    expect(await running).toBe(exitCode)
    expect(err.text()).toContain(
      `Delete version 2 (complete) of "My world" (${FILE_ID}) of account main for good? [y/N]`,
    )
    expect(api.asked('DELETE', /./)).toHaveLength(deleted)
  })

  test('for all that an account needs, and secrets are not shown', async () => {
    await using api = await startStandIn({ accounts: [] })
    const { io, answer, out, err, rawModes } = openSession(env)

    const running = runHere(['account', 'add', 'vrchat', 'main', '--url', api.url], io)
    await answer(/Have you read this/, 'y\r')
    await answer(/user name/, 'me\r')
    await answer(/password:/, 'wrong\u0015correct\u001b[D horsx\u007fe\r')
    await answer(/TOTP secret/, '\r')
    await answer(/E-mail address or URL/, 'me@stevedore.test\r')

    expect(await running).toBe(0)
    expect(api.asked('POST', /accounts$/)[0]?.body).toEqual({
      id: 'main',
      provider: 'vrchat',
      acknowledged: true,
      username: 'me',
      password: 'correct horse',
      contact: 'me@stevedore.test',
    })
    expect(out.text() + err.text()).not.toMatch(/correct|horse/)
    expect(rawModes.at(-1)).toBe(false)
  })

  test('not at all when the id is taken', async () => {
    await using api = await startStandIn()
    const { io, err } = openSession(env)

    expect(await runHere(['account', 'add', 'vrchat', 'main', '--url', api.url], io)).toBe(1)
    expect(err.text()).toBe('stevedore: There is an account main already\n')
  })

  test('for the way and the code of a login, again after a mistake', async () => {
    await using api = await startStandIn()
    api.code = '123456'
    const { io, answer, out, err } = openSession(env)

    const running = runHere(['account', 'login', 'main', '--url', api.url], io)
    await answer(/totp or otp\? \[totp\]/, '\r')
    await answer(/Code of the authenticator/, '999999\r')
    await answer(/refused the code[^]*Code of the authenticator/, '123456\r')

    expect(await running).toBe(0)
    expect(out.text()).toBe('Account main is logged in\n')
    expect(err.text()).not.toMatch(/123456|999999/)
  })

  test.each([
    ['at a hidden question', /password:/, ['y\r', 'me\r']],
    ['at a question', /Have you read this/, []],
  ] as const)('and may leave with Ctrl-C %s', async (_, question, before) => {
    await using api = await startStandIn({ accounts: [] })
    const { io, answer, rawModes } = openSession(env)

    const running = runHere(['account', 'add', 'vrchat', 'main', '--url', api.url], io)
    const questions = [/Have you read this/, /user name/]
    for (const [index, typed] of before.entries()) await answer(questions[index] ?? /./, typed)
    await answer(question, '\u0003')

    expect(await running).toBe(130)
    expect(rawModes.at(-1)).toBe(false)
    expect(api.asked('POST', /./)).toEqual([])
  })
})

test('bars are drawn on a terminal, and what has ended stays', async () => {
  await using api = await startStandIn()
  const { io, out } = openSession({ ...env, NO_COLOR: '1' })

  const code = await runHere(
    ['upload', 'a.vrcw', 'bad.vrcw', '--account', 'main', '--wait', '--url', api.url],
    io,
  )

  expect(code).toBe(1)
  expect(out.text()).toMatch(/a\.vrcw +█+░+ +50% +1000 B \/ 2\.0 KiB/)
  expect(out.text()).toContain(`a.vrcw  completed, version 3 of ${FILE_ID}`)
  expect(out.text()).toMatch(/2 uploads: 1 completed, 1 failed\n$/)
})
