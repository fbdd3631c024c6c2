import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTENT, FILE_ID, startStandIn, TOKEN } from '../unit/cli/stand-in.ts'

const bin = resolve(import.meta.dirname, '../../bin/stevedore.js')
const folder = mkdtempSync(join(tmpdir(), 'stevedore-cli-'))
const tokenFile = join(folder, 'token')

beforeAll(() => writeFileSync(tokenFile, `${TOKEN}\n`))
afterAll(() => rmSync(folder, { recursive: true }))

interface Started {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  readonly ended: Promise<Ended>
}

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Given {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly node?: string
}

/** Starts the real program, without a terminal, in a folder of its own. */
function start(argv: readonly string[], { env = {}, input, node = process.execPath }: Given = {}): Started {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(STEVEDORE|VRCHAT|CLOUDREVE|REDIS)_/.test(name),
  )
  const child = spawn(node, [bin, ...argv], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), STEVEDORE_DATA_DIR: folder, ...env },
  })
  const [out, err]: [string[], string[]] = [[], []]
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => out.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => err.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const ended = once(child, 'close').then(([code]) => ({ code, out: out.join(''), err: err.join('') }))
  return { child, out: () => out.join(''), err: () => err.join(''), ended }
}

const run = async (argv: readonly string[], given?: Given): Promise<Ended> => start(argv, given).ended

const until = async (met: () => boolean): Promise<void> => {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** A file in the folder that the program runs in. */
function write(name: string, content = 'abc'): string {
  writeFileSync(join(folder, name), content)
  return name
}

describe('upload', () => {
  test('hands each file over as a URL under a key of its own, and prints the ids', async () => {
    await using api = await startStandIn()
    const files = [write('wörld #1 100%.vrcw'), write('avatar.vrca')]

    const { code, out } = await run([
      'upload',
      ...files,
      '--account',
      'main',
      '--url',
      api.url,
      '--tag',
      'a',
      '--tag',
      'b',
    ])

    const sent = api.asked('POST', /uploads$/)
    expect(code).toBe(0)
    expect(out.trim().split('\n').toSorted()).toEqual([
      expect.stringMatching(/^upl_\S+ {2}/),
      expect.stringMatching(/^upl_\S+ {2}/),
    ])
    expect(new Set(sent.map(({ key }) => key)).size).toBe(2)
    expect(
      sent.map(({ body }) => body).toSorted((a, b) => String(b['source']).localeCompare(String(a['source']))),
    ).toEqual(
      files.map((name) => ({
        provider: 'vrchat',
        account: 'main',
        source: pathToFileURL(join(folder, name)).href,
        destination: { name, tags: ['a', 'b'] },
      })),
    )
  })

  test('passes every setting on', async () => {
    await using api = await startStandIn()
    const flags = [
      '--on-unchanged',
      'upload',
      '--verify',
      'download',
      '--priority',
      '7',
      '--part-size',
      '32M',
      '--deadline',
      '2h',
    ]

    const { code } = await run([
      'upload',
      'file:///srv/w.vrcw',
      '--account',
      'main',
      '--url',
      api.url,
      '--file-id',
      FILE_ID,
      ...flags,
    ])

    const [sent] = api.asked('POST', /uploads$/)
    expect(code).toBe(0)
    expect(sent?.body).toMatchObject({
      source: 'file:///srv/w.vrcw',
      destination: { fileId: FILE_ID },
      onUnchanged: 'upload',
      verify: 'download',
      priority: 7,
      partSize: 33_554_432,
    })
    expect(Date.parse(String(sent?.body['deadline'])) - Date.now()).toBeCloseTo(7_200_000, -5)
  })

  test('--wait shows every change and ends with 0 when all arrived', async () => {
    await using api = await startStandIn()
    const files = [write('one.vrcw'), write('same.vrcw')]

    const { code, out } = await run(['upload', ...files, '--account', 'main', '--wait', '--url', api.url])

    expect(code).toBe(0)
    expect(out).toContain('one.vrcw  transferring\n')
    expect(out).toContain(`one.vrcw  completed, version 3 of ${FILE_ID}, 2.0 KiB, 12 s\n`)
    expect(out).toContain('same.vrcw  skipped: it is there already')
    expect(out).toContain('2 uploads: 1 completed, 1 skipped\n')
  })

  test('--wait ends with 1 when one failed, and says why without passing terminal sequences on', async () => {
    await using api = await startStandIn()
    const files = [write('one.vrcw'), write('bad.vrcw')]

    const { code, out } = await run(['upload', ...files, '--account', 'main', '--wait', '--url', api.url])

    expect(code).toBe(1)
    expect(out).toContain('bad.vrcw  failed: PUT part 1 → 403\ufffd[2J (refused)\n')
    expect(out).toContain('2 uploads: 1 completed, 1 failed\n')
  })

  test('--wait --json prints one document with the last state of all', async () => {
    await using api = await startStandIn()
    const files = [write('one.vrcw'), write('outside.vrcw')]

    const { code, out, err } = await run([
      'upload',
      ...files,
      '--account',
      'main',
      '--wait',
      '--json',
      '--url',
      api.url,
    ])

    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject([
      { file: 'one.vrcw', upload: { state: 'completed', version: { number: 3 } } },
      { file: 'outside.vrcw', problem: { status: 403, errors: [{ path: 'source' }] } },
    ])
    expect(err).toContain('outside.vrcw: it is outside the source roots')
  })

  test('--wait outlives a service that goes away and comes back', async () => {
    await using api = await startStandIn()
    const waiting = start(['upload', write('one.vrcw'), '--account', 'main', '--wait', '--url', api.url])

    await until(() => waiting.out().includes('transferring'))
    api.away = true
    await until(() => waiting.out().includes('Still trying'))
    api.away = false

    const { code, out } = await waiting.ended
    expect(code).toBe(0)
    expect(out).toContain('The service answers again')
  })

  test('Ctrl-C ends the waiting and not the uploads', async () => {
    await using api = await startStandIn()
    const waiting = start(['upload', write('one.vrcw'), '--account', 'main', '--wait', '--url', api.url])

    await until(() => waiting.out().includes('queued'))
    waiting.child.kill('SIGINT')

    const { code, err } = await waiting.ended
    expect(code).toBe(130)
    expect(err).toContain('The uploads go on')
    expect(api.asked('POST', /cancel/)).toEqual([])
  })

  test('to one place go one after the other, in the order of the command line', async () => {
    await using api = await startStandIn()
    const files = ['c.vrcw', 'a.vrcw', 'b.vrcw'].map((name) => write(name))

    const { code, out } = await run([
      'upload',
      ...files,
      '--name',
      'World',
      '--account',
      'main',
      '--url',
      api.url,
    ])

    expect(code).toBe(0)
    expect(out.match(/\w\.vrcw/g)).toEqual(files)
  })

  test('--dry-run needs no service, and prints what VRChat would be told', async () => {
    const files = [write('abc.vrca', 'abc'), write('empty.vrca', ''), write('zeros.vrca', '\0'.repeat(2048))]

    const { code, out } = await run([
      'upload',
      ...files,
      '--dry-run',
      '--provider',
      'vrchat',
      '--json',
      '--url',
      'http://127.0.0.1:1',
    ])

    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject([
      {
        file: 'abc.vrca',
        fileMd5: 'kAFQmDzST7DWlj99KOF/cg==',
        fileSizeInBytes: 3,
        signatureMd5: 'BH8coUy05n4By4kWk+AwXA==',
        signatureSizeInBytes: 48,
        parts: { count: 1, size: 3, lastSize: 3 },
      },
      {
        fileMd5: '1B2M2Y8AsgTpgAmY7PhCfg==',
        signatureMd5: 'wFTc7oMFDcoZnqdLNiwHBw==',
        signatureSizeInBytes: 12,
      },
      {
        fileMd5: 'yZp0xVU3GkM9Eh9VHWxjmA==',
        signatureMd5: 'F2ppEET+ErE+F4ZrVBD3Bw==',
        signatureSizeInBytes: 48,
      },
    ])
  })

  test('--dry-run tells of each file that can not be uploaded, and goes on with the others', async () => {
    const { code, out, err } = await run(['upload', 'missing.vrca', '.', write('abc.vrca'), '--dry-run'])

    expect(code).toBe(1)
    expect(out).toMatch(/^abc.vrca\n {2}fileMd5 +kAFQmDzST7DWlj99KOF\/cg==\n/)
    expect(err).toMatch(/missing.vrca does not exist/)
    expect(err).toMatch(/is a folder/)
  })
})

describe('exit codes', () => {
  test('3 when there is no service, with what to start', async () => {
    const { code, out, err } = await run(['upload', write('abc.vrca'), '--account', 'main'], {
      env: { STEVEDORE_PORT: '1' },
    })

    expect([code, out]).toEqual([3, ''])
    expect(err).toContain('Start it with `npm start`')
    expect(err).toContain('Not sent: abc.vrca')
  })

  test('2 for wrong use', async () => {
    expect(await run(['upload', '--account', 'main'])).toMatchObject({ code: 2, out: '' })
  })

  test('1 when the service refuses, with every field', async () => {
    await using api = await startStandIn()

    const { code, err } = await run(['upload', write('abc.vrca'), '--account', 'nobody', '--url', api.url])

    expect(code).toBe(1)
    expect(err).toContain('abc.vrca: account: there is no account nobody: add it first (422)')
  })

  test('1 when it does not know the token, which is not shown', async () => {
    await using api = await startStandIn()

    const { code, err } = await run(['list', '--url', api.url], {
      env: { STEVEDORE_TOKEN: 'another-token-0123456789' },
    })

    expect(code).toBe(1)
    expect(err).toContain('the service does not know the token from STEVEDORE_TOKEN (401)')
    expect(err).not.toContain('another-token')
  })
})

describe('uploads', () => {
  test('are listed in pages, shown, cancelled and retried', async () => {
    await using api = await startStandIn()
    const names = Array.from({ length: 5 }, (_, index) => write(`w${index}.vrcw`))
    await run(['upload', ...names, '--account', 'main', '--url', api.url])

    const { out, err } = await run(['list', '--limit', '3', '--url', api.url])
    const [head, ...rows] = out.trim().split('\n')
    expect(head).toMatch(/^ID +STATE +FILE +SIZE +SENT +ACCOUNT +AGE$/)
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatch(/^upl_\w+ +queued +w\d.vrcw +2.0 KiB +0% +main +\d+ d$/)

    const cursor = err.trim().split(' ').at(-1) ?? ''
    const rest = await run(['list', '--cursor', cursor, '--json', '--url', api.url])
    expect(JSON.parse(rest.out)).toMatchObject({ items: [{ state: 'queued' }, {}], next: null })

    const id = rows[0]?.split(' ')[0] ?? ''
    const shown = await run(['status', id, '--url', api.url])
    expect(shown.out).toMatch(/state +preparing\n/)
    expect(shown.out).toMatch(/destination +name=w\d.vrcw\n/)
    expect(JSON.parse((await run(['cancel', id, '--json', '--url', api.url])).out)).toMatchObject({
      id,
      state: 'cancelled',
    })
    expect((await run(['retry', id, '--url', api.url])).out).toBe(`${id} is queued again\n`)
  })

  test('that do not exist end with 1', async () => {
    await using api = await startStandIn()

    expect(await run(['status', 'upl_x', '--url', api.url])).toMatchObject({
      code: 1,
      err: 'stevedore: There is no such upload (404)\n',
    })
  })
})

describe('files', () => {
  test('are listed for the only account there is', async () => {
    await using api = await startStandIn()

    const { code, out } = await run(['files', '--url', api.url])

    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^${FILE_ID} +My world +2 +complete +22 B`, 'm'))
    expect((await run(['versions', FILE_ID, '--url', api.url])).out).toMatch(
      / 3 +2.0 KiB +900150983cd24fb0d6963f7d28e17f72 /,
    )
  })

  test('of several accounts need one to be named', async () => {
    await using api = await startStandIn({ accounts: ['main', 'other'] })

    expect(await run(['files', '--url', api.url])).toMatchObject({
      code: 2,
      err: expect.stringContaining('main, other'),
    })
  })

  test('are downloaded whole, under a harmless name, and never over another', async () => {
    await using api = await startStandIn()
    const argv = ['download', FILE_ID, '2', '--url', api.url]

    expect(await run(argv)).toMatchObject({ code: 0, out: 'wörld.vrcw\n' })
    expect(readFileSync(join(folder, 'wörld.vrcw'))).toEqual(CONTENT)
    writeFileSync(join(folder, 'wörld.vrcw'), 'mine')
    expect(await run(argv)).toMatchObject({ code: 1, err: expect.stringContaining('is there already') })
    expect(readFileSync(join(folder, 'wörld.vrcw'), 'utf8')).toBe('mine')
    expect((await run([...argv, '--force', '-o', 'wörld.vrcw'])).code).toBe(0)
    expect(readFileSync(join(folder, 'wörld.vrcw'))).toEqual(CONTENT)
    expect((await run([...argv, '-o', '-'])).out).toBe(CONTENT.toString())
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('that end too early are no download', async () => {
    await using api = await startStandIn()
    api.cut = true
    const argv = ['download', FILE_ID, '2', '--url', api.url, '-o']

    expect(await run([...argv, 'cut.vrcw'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('stopped sending before the end'),
    })
    expect(await run([...argv, '-'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('stopped sending before the end'),
    })
    expect(readdirSync(folder).filter((name) => /cut|part$/.test(name))).toEqual([])
  })

  test('are not deleted where nobody can be asked', async () => {
    await using api = await startStandIn()

    const { code, err } = await run(['delete', FILE_ID, '2', '--url', api.url])

    expect(code).toBe(2)
    expect(err).toContain('--yes deletes without asking')
    expect(api.asked('DELETE', /./)).toEqual([])
  })

  test('are deleted with --yes', async () => {
    await using api = await startStandIn()

    expect((await run(['delete', FILE_ID, '2', '--yes', '--url', api.url])).out).toBe(
      `Deleted version 2 of ${FILE_ID}\n`,
    )
    expect((await run(['delete', FILE_ID, '--yes', '--json', '--url', api.url])).code).toBe(0)
    expect(api.asked('DELETE', /./).map(({ path }) => path)).toEqual([
      `/v1/accounts/main/files/${FILE_ID}/versions/2`,
      `/v1/accounts/main/files/${FILE_ID}`,
    ])
  })
})

describe('accounts', () => {
  test('are added with secrets from standard input and environment', async () => {
    await using api = await startStandIn({ accounts: [] })
    const flags = [
      '--username',
      'me',
      '--contact',
      'me@stevedore.test',
      '--acknowledge',
      '--password-stdin',
      '--totp-secret-stdin',
    ]

    const { code, out, err } = await run(
      ['account', 'add', 'vrchat', 'main', ...flags, '--parts-at-once', '2', '--url', api.url],
      {
        input: 'pass word\nJBSWY3DPEHPK3PXP\n',
        env: { VRCHAT_API_KEY: 'old-key' },
      },
    )

    expect(code).toBe(0)
    expect(api.asked('POST', /accounts$/)[0]?.body).toEqual({
      id: 'main',
      provider: 'vrchat',
      acknowledged: true,
      username: 'me',
      password: 'pass word',
      totpSecret: 'JBSWY3DPEHPK3PXP',
      apiKey: 'old-key',
      contact: 'me@stevedore.test',
      limits: { partsAtOnce: 2 },
    })
    expect(err).toContain("VRChat's creator guidelines restrict")
    expect(out + err).not.toMatch(/pass word|JBSWY3/)
  })

  test('of another provider are added and used by its own words', async () => {
    await using api = await startStandIn({ accounts: [] })
    const site = ['--base-url', 'https://drive.example.org', '--refresh-token-stdin', '--url', api.url]
    const to = 'cloudreve://my/back ups/'

    const added = await run(['account', 'add', 'cloudreve', 'drive', ...site], { input: 'refresh-me\n' })
    const uploaded = await run(['upload', write('a.zip'), '--account', 'drive', '--to', to, '--url', api.url])

    expect(added).toMatchObject({ code: 0, err: '' })
    expect(uploaded).toMatchObject({ code: 0, out: expect.stringMatching(/^upl_\S+ {2}a\.zip\n$/) })
    expect(api.asked('POST', /uploads$/)[0]?.body).toMatchObject({
      provider: 'cloudreve',
      destination: { uri: to },
    })
  })

  test('are not added without the acknowledgement', async () => {
    await using api = await startStandIn({ accounts: [] })

    const { code, err } = await run(['account', 'add', 'vrchat', 'main', '--url', api.url], {
      env: { VRCHAT_PASSWORD: 'x' },
    })

    expect(code).toBe(2)
    expect(err).toContain('--acknowledge says that you have read this')
    expect(api.asked('POST', /./)).toEqual([])
  })

  test('a secret that the service repeats is blanked', async () => {
    await using api = await startStandIn({ accounts: [] })
    const flags = ['--username', 'me', '--contact', 'me@stevedore.test', '--acknowledge']

    const { code, err } = await run(['account', 'add', 'vrchat', 'main', ...flags, '--url', api.url], {
      env: { VRCHAT_PASSWORD: 'echo-this-back' },
    })

    expect(code).toBe(1)
    expect(err).toContain('the password … is too weak')
  })

  test('are listed, shown and removed', async () => {
    await using api = await startStandIn()
    api.busy = 1

    expect((await run(['account', 'list', '--url', api.url])).out).toMatch(/^main +vrchat +ready +0 /m)
    expect((await run(['account', 'show', 'main', '--url', api.url])).out).toMatch(
      /^contact +me@stevedore.test$/m,
    )
    expect(await run(['account', 'remove', 'main', '--url', api.url])).toMatchObject({
      code: 1,
      err: expect.stringContaining('have not ended'),
    })
    api.busy = 1
    expect((await run(['account', 'remove', 'main', '--force', '--url', api.url])).code).toBe(0)
    expect(api.asked('DELETE', /force=true/)).toHaveLength(2)
  })

  test('are logged in with a code from standard input', async () => {
    await using api = await startStandIn()
    api.code = '123456'

    expect(
      await run(['account', 'login', 'main', '--code-stdin', '--url', api.url], { input: '123456\n' }),
    ).toMatchObject({ code: 0, out: 'Account main is logged in\n' })
    expect(
      await run(['account', 'login', 'main', '--url', api.url], { env: { VRCHAT_CODE: '999999' } }),
    ).toMatchObject({ code: 1, err: 'stevedore: VRChat refused the code (422)\n' })
    expect(await run(['account', 'login', 'main', '--url', api.url])).toMatchObject({
      code: 2,
      err: expect.stringContaining('VRCHAT_CODE'),
    })
    expect(await run(['account', 'login', 'main', '--method', 'sms', '--url', api.url])).toMatchObject({
      code: 2,
    })
  })

  test('import a cookie', async () => {
    await using api = await startStandIn()

    const { code } = await run(['account', 'login', 'main', '--cookie-stdin', '--url', api.url], {
      input: 'authcookie_abc\n',
    })

    expect(code).toBe(0)
    expect(api.asked('PATCH', /main$/)[0]?.body).toEqual({ authCookie: 'authcookie_abc' })
    expect(api.asked('POST', /login$/)).toHaveLength(1)
  })
})

describe('the launcher', () => {
  test('hands exit code and signals through to the Node that npm installed', async () => {
    await using api = await startStandIn()
    const old = join(folder, 'old-node')
    const hook = join(folder, 'pretend-old.mjs')
    writeFileSync(hook, "Object.defineProperty(process.versions, 'node', { value: '20.11.0' })\n")
    writeFileSync(old, `#!/bin/sh\nexec "${process.execPath}" --import "${hook}" "$@"\n`)
    chmodSync(old, 0o755)
    const waiting = start(['upload', write('one.vrcw'), '--account', 'main', '--wait', '--url', api.url], {
      node: old,
    })

    await until(() => waiting.out().includes('queued'))
    waiting.child.kill('SIGINT')

    expect(await waiting.ended).toMatchObject({
      code: 130,
      err: expect.stringContaining('The uploads go on'),
    })
    expect((await run(['frobnicate'], { node: old })).code).toBe(2)
  })

  test('is what npx runs in the checkout', async () => {
    expect(existsSync(bin)).toBe(true)
    const argv = ['--no-install', '--offline', 'stevedore', '--version']
    const child = spawn('npx', argv, { cwd: resolve(bin, '../..') })
    const out: string[] = []
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => out.push(chunk))

    const [code] = await once(child, 'close')

    expect([code, out.join('')]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
  })
})
