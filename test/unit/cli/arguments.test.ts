import { describe, expect, test } from 'vitest'
import { commands } from '#producer/cli/commands.ts'
import { openScreen, openSession, runHere } from './terminal.ts'

/** Runs without a terminal, and without any service that would be asked. */
async function outcome(argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const { io } = openSession()
  const [out, err] = [openScreen(), openScreen()]
  const code = await runHere(argv, { ...io, out: out.output, err: err.output, env: { STEVEDORE_PORT: '1' } })
  return { code, out: out.text(), err: err.text() }
}

describe('help', () => {
  test.each([[['--help']], [['-h']], [['help']], [['help', 'nonsense']]])(
    '%j lists every command',
    async (argv) => {
      const { code, out } = await outcome(argv)

      expect(code).toBe(0)
      for (const { name } of commands) expect(out).toContain(`\n  ${name}`)
    },
  )

  test.each(commands.map((command) => [command.name, command] as const))(
    'of %s shows its flags and an example',
    async (name, command) => {
      const { code, out } = await outcome([...name.split(' '), '--help'])

      expect(code).toBe(0)
      expect(out).toContain(`usage: stevedore ${name}`)
      expect(out).toMatch(/examples:\n {2}.*stevedore/)
      for (const flag of Object.keys(command.flags)) expect(out).toContain(`--${flag}`)
    },
  )

  test('is shown as an error when there is no command', async () => {
    const { code, out, err } = await outcome([])

    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('usage: stevedore COMMAND')
  })
})

test('the version is printed', async () => {
  expect(await outcome(['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' })
})

describe('wrong use ends with 2 and says what is wrong', () => {
  test.each([
    [['frobnicate'], 'There is no command "frobnicate"'],
    [['account'], 'account add, account login'],
    [['status'], 'ID is missing; usage: stevedore status ID'],
    [['status', 'a', 'b'], 'There are 2 arguments, which is too many'],
    [['status', ''], 'An argument is empty'],
    [['list', '--frob'], "Unknown option '--frob'"],
    [['list', '--state', 'lost'], '--state is one of queued, preparing'],
    [['list', '--limit', '0'], '--limit is a whole number from 1'],
    [['list', '--limit', '1e3'], '--limit is a whole number'],
    [['list', '--json=yes'], '--json'],
    [['upload', 'a.vrcw'], '--account is missing'],
    [['upload', '--account', 'main'], 'FILE is missing'],
    [
      ['upload', 'a', '--account', 'main', '--on-unchanged', 'maybe'],
      '--on-unchanged is one of skip, upload',
    ],
    [['upload', 'a', '--account', 'main', '--part-size', '1.5M'], '--part-size is a number of bytes'],
    [['upload', 'a', '--account', 'main', '--deadline', '2'], '--deadline is a time such as'],
    [
      ['upload', 'a', '--account', 'main', '--file-id', 'file_x', '--name', 'b'],
      '--name belongs to a File that is made',
    ],
    [['upload', 'a', '--account', 'main', '--file-id', 'file_x', '--new-file'], '--new-file belongs to'],
    [['upload', 'a', 'b', '--account', 'main', '--file-id', 'file_x'], 'these are several files'],
    [
      ['upload', 'x/a.vrca', 'y/a.vrca', '--account', 'main'],
      'x/a.vrca and y/a.vrca would both become versions',
    ],
    [['upload', 'a', '--dry-run', '--provider', 'dropbox'], '--provider is one of vrchat'],
    [['versions'], 'DESTINATION is missing'],
    [['download', 'file_x', 'newest'], 'VERSION is a whole number'],
    [['delete', 'file_x', '-3'], "'-3'"],
    [['list', '--url', 'ftp://host'], '--url is an address such as'],
    [['list', '--url', 'http://me:secret-word@host'], '--url is scheme, host, port and path only'],
    [['list', '--token-file', '/does/not/exist'], 'can not be read from /does/not/exist (ENOENT)'],
    [['account', 'add', 'dropbox', 'main'], 'There is no provider "dropbox"'],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await outcome(argv)

    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
    expect(err).not.toContain('secret-word')
  })

  test('also for settings that make none', async () => {
    const { io, err } = openSession({ STEVEDORE_PROT: '7070' })

    expect(await runHere(['list'], io)).toBe(2)
    expect(err.text()).toContain('did you mean STEVEDORE_PORT?')
  })
})

describe('a secret on the command line is refused and not repeated', () => {
  test.each([
    [['account', 'add', 'vrchat', 'main', '--password', 'hunter2hunter2'], 'VRCHAT_PASSWORD'],
    [['account', 'add', 'vrchat', 'main', '--password=hunter2hunter2'], '--password-stdin'],
    [['account', 'add', 'vrchat', 'main', '--totp-secret=hunter2hunter2'], 'VRCHAT_TOTP_SECRET'],
    [['account', 'login', 'main', '--auth-cookie=hunter2hunter2'], 'VRCHAT_AUTH_COOKIE'],
    [['account', 'login', 'main', '--code', 'hunter2hunter2'], '--code-stdin'],
    [['account', 'login', 'main', '--cookie', 'hunter2hunter2'], 'too many'],
    [['account', 'login', 'main', '--cookie=hunter2hunter2'], '--cookie'],
    [['list', '--token', 'hunter2hunter2'], '--token-file'],
  ])('%j', async (argv, way) => {
    const { code, out, err } = await outcome(argv)

    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(way)
    expect(err).not.toContain('hunter2')
  })
})

test('flags may stand before the command', async () => {
  const { code, err } = await outcome(['--url', 'http://127.0.0.1:1', 'account', '--json', 'list'])

  expect(code).toBe(3)
  expect(err).toContain('does not answer at http://127.0.0.1:1')
})
