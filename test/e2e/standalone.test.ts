import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FakeVrchatOptions } from '../fakes/vrchat/server.ts'
import { MIB, openSite, USER } from '../support/site.ts'
import type { Site } from '../support/site.ts'

const emailCode = '123456'
// As large as those of VRChat: nothing is made easier here than it is for a user.
const vrchat: FakeVrchatOptions = {
  users: [{ ...USER, secondFactor: { kind: 'emailOtp', code: emailCode } }],
  multipartThreshold: 5 * MIB,
  minPartSize: 5 * MIB,
}

const addFlags = ['--username', USER.username, '--contact', 'ada@stevedore.test', '--acknowledge']
// VRChat would have us wait between calls; that is tested elsewhere.
const fastFlags = ['--call-spacing-ms', '0', '--calls-at-once', '4']

/** What the command printed, once it ended as it should. */
async function done(site: Site, ...argv: string[]): Promise<string> {
  const { code, out, err } = await site.cli(argv)
  expect({ argv, code, err }).toMatchObject({ code: 0 })
  return out
}

async function answered(site: Site, ...argv: string[]): Promise<unknown> {
  return JSON.parse(await done(site, ...argv, '--json'))
}

async function addMe(site: Site): Promise<void> {
  const argv = ['account', 'add', 'vrchat', 'me', ...addFlags, ...fastFlags, '--base-url', site.fake.baseUrl]
  const added = await site.cli(argv, { env: { VRCHAT_PASSWORD: USER.password } })
  expect(added).toMatchObject({ code: 0, out: expect.stringContaining('Account me is added') })
}

test('from an empty folder to versions at VRChat, and back, with nothing but the command line', async () => {
  await using site = await openSite({ fake: vrchat })
  const { cli, fake, folder } = site
  const first = await site.source('world.vrcw', 11 * MIB + 7)
  expect(await cli(['list'])).toMatchObject({ code: 3, err: expect.stringContaining('npm start') })
  await site.start()

  await addMe(site)
  expect(await cli(['account', 'login', 'me'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('VRCHAT_CODE'),
  })
  const login = await cli(['account', 'login', 'me', '--code-stdin'], { input: `${emailCode}\n` })
  expect(login).toMatchObject({ code: 0, out: 'Account me is logged in\n' })

  const said = await done(site, 'upload', 'world.vrcw', '--account', 'me', '--part-size', '5M', '--wait')
  const [fileId = ''] = /file_[\w-]+/.exec(said) ?? []
  expect(said).toContain(`world.vrcw  completed, version 1 of ${fileId}`)
  expect(await fake.bytesOf(fileId, 1, 'file')).toEqual(first)

  const again = await answered(site, 'upload', 'world.vrcw', '--account', 'me', '--wait')
  expect(again).toMatchObject([{ upload: { state: 'skipped', bytesSent: 0, version: { number: 1 } } }])

  const second = Buffer.from(first).fill('changed', 6 * MIB, 6 * MIB + 1000)
  await writeFile(join(folder, 'world.vrcw'), second)
  const changed = await answered(site, 'upload', 'world.vrcw', '--account', 'me', '--wait')
  expect(changed).toMatchObject([
    { upload: { state: 'completed', version: { remoteId: fileId, number: 2 } } },
  ])
  expect(await fake.bytesOf(fileId, 2, 'file')).toEqual(second)

  expect(await done(site, 'list')).toMatch(/^upl_\w+ +completed +world\.vrcw +11\.0 MiB +100% +me /m)
  const listed = await answered(site, 'list', '--state', 'completed')
  expect(listed).toMatchObject({
    items: [{ version: { number: 2 } }, { version: { number: 1 } }],
    next: null,
  })
  const [id = ''] = /upl_\w+/.exec(JSON.stringify(listed)) ?? []
  expect(await answered(site, 'status', id)).toMatchObject({
    id,
    state: 'completed',
    size: second.length,
    epoch: 1,
    bytesResent: 0,
  })
  const ledger = await answered(site, 'versions', 'world.vrcw')
  expect(ledger).toMatchObject([
    { remoteId: fileId, number: 2, upload: id },
    { remoteId: fileId, number: 1, size: first.length },
  ])
  expect(await answered(site, 'versions', fileId)).toEqual(ledger)
  expect(await done(site, 'files')).toMatch(
    new RegExp(`^${fileId} +world.vrcw +2 +complete +11\\.0 MiB`, 'm'),
  )

  for (const [version, bytes] of [
    ['1', first],
    ['2', second],
  ] as const) {
    expect(await done(site, 'download', fileId, version, '-o', `back-${version}`)).toBe(`back-${version}\n`)
    expect(await readFile(join(folder, `back-${version}`))).toEqual(bytes)
  }
  expect(await cli(['download', fileId, '2', '-o', 'back-2'])).toMatchObject({ code: 1 })
  expect(await cli(['download', fileId, '7', '-o', 'back-7'])).toMatchObject({ code: 1 })

  expect(await cli(['delete', fileId, '2'])).toMatchObject({ code: 2, out: '' })
  expect(await done(site, 'delete', fileId, '2', '--yes')).toBe(`Deleted version 2 of ${fileId}\n`)
  expect(await answered(site, 'files')).toMatchObject([
    { id: fileId, versions: expect.not.arrayContaining([expect.objectContaining({ number: 2 })]) },
  ])
  expect(await done(site, 'delete', fileId, '--yes')).toBe(`Deleted ${fileId}\n`)
  expect(await answered(site, 'files')).toEqual([])
  expect([fake.files, fake.violations]).toEqual([[], []])
})

test('one file that fails makes the whole command end with 1, and the others arrive', async () => {
  await using site = await openSite()
  const good = await site.source('good.vrca', 1000)
  await site.source('bad.vrca', 2000)
  await site.start()
  await site.addAccount()
  site.fake.faults.add({ operation: 'createFile', nth: 1, action: { kind: 'status', status: 400 } })

  // One after the other, so that it is known which one is refused.
  const bad = await site.cli(['upload', 'bad.vrca', '--account', 'me', '--wait'])
  const both = await site.cli(['upload', 'good.vrca', 'missing.vrca', '--account', 'me', '--wait'])

  expect(bad).toMatchObject({ code: 1, out: expect.stringContaining('bad.vrca  failed: POST /file → 400') })
  expect(both).toMatchObject({ code: 1, out: expect.stringContaining('good.vrca  completed, version 1') })
  expect(both.err).toContain('missing.vrca')
  const [file] = site.fake.files
  expect(site.fake.files).toHaveLength(1)
  expect(await site.fake.bytesOf(file?.id ?? '', 1, 'file')).toEqual(good)
  expect(await site.cli(['status', 'upl_nothing'])).toMatchObject({ code: 1 })
  expect(await site.cli(['frobnicate'])).toMatchObject({ code: 2 })
})

describe('a start that can not be', () => {
  test('because of its settings says everything that is wrong with them, and no secret', async () => {
    await using site = await openSite()
    const wrong = {
      STEVEDORE_PORT: 'seventy',
      STEVEDORE_LOCK_MS: '10',
      STEVEDORE_SOURCE_ROOTS: 'builds',
      STEVEDORE_SECRET_KEY: 'not-a-key-but-secret',
      STEVEDORE_TOKEN: 'short-secret',
      STEVEDORE_LOG_LEVEL: 'loud',
      REDIS_URL: 'localhost:6379',
      STEVEDORE_PROT: '80',
    }

    const { code, out, err } = await site.launch('standalone', wrong).ended

    expect({ code, out }).toEqual({ code: 1, out: '' })
    const [head, ...problems] = err.trimEnd().split('\n')
    expect(head).toBe('stevedore standalone: The settings can not be used:')
    expect(problems.toSorted()).toEqual([
      expect.stringMatching(/^ {2}- REDIS_URL: must look like redis:/),
      expect.stringMatching(/^ {2}- STEVEDORE_LOCK_MS: must be a whole number from 1000 to/),
      expect.stringMatching(/^ {2}- STEVEDORE_LOG_LEVEL: must be one of/),
      expect.stringMatching(/^ {2}- STEVEDORE_PORT: must be a whole number from 0 to 65535/),
      expect.stringMatching(/^ {2}- STEVEDORE_PROT: there is no such setting; did you mean STEVEDORE_PORT\?/),
      expect.stringMatching(/^ {2}- STEVEDORE_SECRET_KEY: must be 32 bytes/),
      expect.stringMatching(/^ {2}- STEVEDORE_SOURCE_ROOTS: must be absolute paths/),
      expect.stringMatching(/^ {2}- STEVEDORE_TOKEN: must be 16 or more/),
    ])
    expect(err).not.toMatch(/not-a-key|short-secret/)
    expect(await site.redisPids()).toEqual([])
  })

  test('with the key of somebody else says so, and leaves no Redis behind', async () => {
    await using site = await openSite()
    const first = await site.start()
    first.signal('SIGTERM')
    await first.ended
    const other = Buffer.alloc(32, 'another key').toString('base64')

    const { code, out, err } = await site.launch('standalone', { STEVEDORE_SECRET_KEY: other }).ended

    expect({ code, out }).toMatchObject({ code: 1, out: expect.not.stringContaining('listens at') })
    expect(err).toMatch(
      /^stevedore standalone: This Redis is encrypted with the key [0-9a-f]{16}, but STEVEDORE_SECRET_KEY is/,
    )
    expect(err).toContain('Take the key of the machine that was set up first')
    expect(err).not.toMatch(new RegExp(`${other}| {4}at `))
    expect(await site.redisPids()).toEqual([])
  })
})
