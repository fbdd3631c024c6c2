import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CONTENT, DRIVE_FILE, DRIVE_VERSION, FILE_ID, startStandIn, TOKEN, type StandIn } from './stand-in.ts'
import { openSession, runHere, runUnattended } from './terminal.ts'

type Env = Readonly<Record<string, string>>

/** Runs where nobody can be asked; without a service, if none is given. */
const run = async (api: StandIn | undefined, argv: readonly string[], env: Env = {}, input = '') =>
  runUnattended(argv, {
    url: api?.url ?? 'http://127.0.0.1:1',
    env: { STEVEDORE_TOKEN: TOKEN, ...env },
    input,
  })

const drive = async (): Promise<StandIn> => startStandIn({ accounts: [], drives: ['drive'] })
const both = async (): Promise<StandIn> => startStandIn({ accounts: ['main'], drives: ['drive'] })

describe('upload', () => {
  const TO = 'cloudreve://my/back ups/'

  test('asks for the account which provider it is, and hands each file over to the folder', async () => {
    await using api = await both()
    const flags = ['--on-conflict', 'rename', '--policy', '4mIL', '--metadata', 'customize:a=b=c']
    const more = ['--metadata', 'customize:n=', '--on-unchanged', 'upload', '--verify', 'download']

    const { code } = await run(api, [
      'upload',
      'a.zip',
      'b.zip',
      '--account',
      'drive',
      '--to',
      TO,
      ...flags,
      ...more,
    ])

    const sent = api.asked('POST', /uploads$/).map(({ body }) => body)
    expect(code).toBe(0)
    expect(sent).toHaveLength(2)
    for (const body of sent) {
      expect(body).toEqual({
        provider: 'cloudreve',
        account: 'drive',
        source: expect.stringMatching(/^file:.*\/[ab]\.zip$/),
        destination: {
          uri: TO,
          onConflict: 'rename',
          policyId: '4mIL',
          metadata: { 'customize:a': 'b=c', 'customize:n': '' },
        },
        onUnchanged: 'upload',
        verify: 'download',
      })
    }
  })

  test('--provider spares the question', async () => {
    await using api = await drive()

    const argv = ['upload', 'a.zip', '--account', 'drive', '--to', TO, '--provider', 'cloudreve']
    expect((await run(api, argv)).code).toBe(0)
    expect(api.requests.map(({ method }) => method)).toEqual(['POST'])
  })

  test('--wait names version and place as the provider does', async () => {
    await using api = await drive()

    const { code, out } = await run(api, ['upload', 'a.zip', '--account', 'drive', '--to', TO, '--wait'])

    expect(code).toBe(0)
    expect(out).toContain(`a.zip  completed, version ${DRIVE_VERSION} of ${DRIVE_FILE}`)
  })

  test.each([
    [['--account', 'drive'], '--to is missing: where the files go, such as cloudreve://my/backups/'],
    [['--account', 'drive', '--name', 'x'], '--name is a flag of vrchat, and not of cloudreve'],
    [['--account', 'main', '--to', TO], '--to is a flag of cloudreve, and not of vrchat'],
  ])('%j is refused once the account is known', async (flags, message) => {
    await using api = await both()

    const { code, err } = await run(api, ['upload', 'a.zip', ...flags])

    expect(code).toBe(2)
    expect(err).toBe(`stevedore: ${message}\n`)
    expect(api.asked('POST', /./)).toEqual([])
  })

  test.each([
    [['a', 'b', '--to', 'cloudreve://my/c.zip'], 'is one file, and these are several: end it with /'],
    [['x/a', 'y/a', '--to', TO], `x/a and y/a would both become ${TO}a`],
    [['x/a', 'y/a', '--to', 'cloudreve://my'], 'x/a and y/a would both become'],
    [['a', '--to', TO, '--metadata', 'customize:b'], '--metadata is KEY=VALUE, not "customize:b"'],
    [['a', '--to', TO, '--on-conflict', 'overwrite'], '--on-conflict is one of version, fail, rename, skip'],
    [
      ['a', '--to', TO, '--file-id', 'file_x'],
      '--to is a flag of cloudreve, and not of vrchat (vrchat); --file-id is a flag of vrchat, and not of cloudreve',
    ],
    [['a', '--to', TO, '--provider', 'vrchat'], '--to is a flag of cloudreve, and not of vrchat'],
    [['x/a', 'y/a'], 'each with its own --name (vrchat); --to is missing'],
  ])('%j is refused before anybody is asked', async (argv, message) => {
    const { code, err } = await run(undefined, ['upload', ...argv, '--account', 'drive'])

    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test('a service that goes away at the first question leaves nothing sent', async () => {
    await using api = await drive()
    api.away = true

    const { code, err } = await run(undefined, ['upload', 'a.zip', '--account', 'drive', '--to', TO])

    expect(code).toBe(3)
    expect(err).toContain('Not sent: a.zip')
  })
})

describe('--dry-run', () => {
  test('says what is known without the site, and reads nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stevedore-dry-'))
    const file = join(folder, 'a.zip')
    await writeFile(file, '')
    // A hole that takes minutes to read.
    await truncate(file, 64 * 2 ** 30)
    const argv = ['upload', file, '--to', 'cloudreve://my/b/', '--dry-run', '--metadata', 'customize:x=1']

    const shown = await run(undefined, argv)
    const json = await run(undefined, [...argv, '--json'])

    expect(shown.code).toBe(0)
    expect(shown.out).toMatch(/^ {2}fileSizeInBytes +68719476736$/m)
    expect(shown.out).toMatch(/^ {2}destination +uri=cloudreve:\/\/my\/b\/ onConflict=version metadata=/m)
    expect(shown.out).toMatch(/^ {2}parts +the site decides how it is cut, when it begins$/m)
    expect(shown.out).not.toMatch(/md5/i)
    expect(JSON.parse(json.out)).toEqual([
      {
        file,
        source: expect.stringContaining('a.zip'),
        provider: 'cloudreve',
        destination: {
          uri: 'cloudreve://my/b/',
          onConflict: 'version',
          metadata: { 'customize:x': '1' },
        },
        fileSizeInBytes: 68_719_476_736,
      },
    ])
    await rm(folder, { recursive: true })
  })

  test('refuses what the site would', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stevedore-dry-'))
    await writeFile(join(folder, 'a:b.zip'), 'abc')

    const name = await run(undefined, [
      'upload',
      join(folder, 'a:b.zip'),
      '--to',
      'cloudreve://my/',
      '--dry-run',
    ])
    const uri = await run(undefined, ['upload', 'x', '--to', 'cloudreve://my/100%/', '--dry-run'])

    expect(name).toMatchObject({ code: 1, err: expect.stringContaining('Cloudreve allows no :') })
    expect(uri).toMatchObject({ code: 2, err: expect.stringContaining('destination.uri: has a %') })
    await rm(folder, { recursive: true })
  })
})

describe('files', () => {
  test('of a folder are listed, folders among them', async () => {
    await using api = await drive()

    const { code, out } = await run(api, ['files', 'cloudreve://my/back%20ups', '--limit', '5'])

    const [asked] = api.asked('GET', /files/)
    expect(code).toBe(0)
    expect(new URL(asked?.path ?? '', 'http://x').searchParams.get('folder')).toBe(
      'cloudreve://my/back%20ups',
    )
    expect(out).toMatch(/^FILE +NAME +VERSION +STATUS/)
    expect(out).toContain(`${DRIVE_FILE}  a #1 100%+.zip  ${DRIVE_VERSION}  current`)
    expect(out).toMatch(/^cloudreve:\/\/my\/back%20ups\/old +old\/ *$/m)
  })

  test('are narrowed only by what their provider has', async () => {
    await using api = await both()

    const tag = await run(api, ['files', '--tag', 'x', '--account', 'drive'])
    const folder = await run(api, ['files', 'cloudreve://my', '--account', 'main'])

    expect(tag).toMatchObject({ code: 2, err: expect.stringContaining('--tag is a flag of vrchat') })
    expect(folder).toMatchObject({
      code: 2,
      err: expect.stringContaining('FOLDER is for cloudreve: vrchat, where account main is, has no folders'),
    })
    expect(api.asked('GET', /files/)).toEqual([])
    expect((await run(api, ['files', '--tag', 'none', '--account', 'main'])).err).toContain('no such files')
    expect(api.asked('GET', /tag=none/)).toHaveLength(1)
  })

  test('and their versions are named by URI and id, whatever characters those have', async () => {
    await using api = await drive()

    const content = await run(api, ['download', DRIVE_FILE, DRIVE_VERSION, '-o', '-'])
    const ledger = await run(api, ['versions', DRIVE_FILE])
    const version = await run(api, ['delete', DRIVE_FILE, DRIVE_VERSION, '--yes'])
    const file = await run(api, ['delete', DRIVE_FILE, '--yes', '--json'])

    expect(content).toMatchObject({ code: 0, out: CONTENT.toString() })
    expect(ledger.out).toContain(`${DRIVE_FILE}  ${DRIVE_VERSION}  2.0 KiB   `)
    expect(version.out).toBe(`Deleted version ${DRIVE_VERSION} of ${DRIVE_FILE}\n`)
    expect(JSON.parse(file.out)).toEqual({ id: DRIVE_FILE, deleted: true })
    expect(api.asked('DELETE', /./).map(({ path }) => path)).toEqual([
      `/v1/accounts/drive/files/${encodeURIComponent(DRIVE_FILE)}/versions/${DRIVE_VERSION}`,
      `/v1/accounts/drive/files/${encodeURIComponent(DRIVE_FILE)}`,
    ])
  })

  test.each([
    [['cloudreve://my/a.zip', 'a b'], 'VERSION is the id of a version, as `stevedore files` lists them'],
    [[FILE_ID, 'kYLmTq'], 'VERSION is a whole number'],
  ])('%j has no such version', async (argv, message) => {
    expect(await run(undefined, ['download', ...argv])).toMatchObject({
      code: 2,
      err: expect.stringContaining(message),
    })
  })

  test.each([
    [
      [DRIVE_FILE, 'older'],
      `Delete version older (stored) of "a #1 100%+.zip" (${DRIVE_FILE}) of account drive`,
    ],
    [[DRIVE_FILE], `Delete "a #1 100%+.zip" (${DRIVE_FILE}) of account drive for good, with 2 versions?`],
    [['cloudreve://my/back%20ups/old'], 'Delete the folder "old/"'],
  ])('%j is deleted only when a person says so', async (argv, question) => {
    await using api = await drive()
    const { io, answer, err } = openSession({ STEVEDORE_TOKEN: TOKEN })

    const running = runHere(['delete', ...argv, '--url', api.url], io)
    await answer(/\?/, 'n\r')

    expect(await running).toBe(1)
    expect(err.text()).toContain(question)
    expect(api.asked('DELETE', /./)).toEqual([])
  })
})
