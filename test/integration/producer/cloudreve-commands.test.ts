import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, inject, test } from 'vitest'
import { z } from 'zod'
import { startFakeCloudreve } from '../../fakes/cloudreve/server.ts'
import type { FakeCloudreve, FakeCloudreveOptions } from '../../fakes/cloudreve/server.ts'
import { openSession, runHere, runUnattended } from '../../unit/cli/terminal.ts'
import { openApi, type Api } from './api.ts'

const user = { email: 'ada@example.org', password: 'lovelace-1815' }
const SECRET = 'JBSWY3DPEHPK3PXP'

interface Stage extends AsyncDisposable {
  readonly api: Api
  readonly fake: FakeCloudreve
  readonly url: string
  /** Runs a command line where nobody can be asked. */
  readonly run: (
    argv: readonly string[],
    env?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof runUnattended>
}

/** The API as it listens, and a Cloudreve that nothing of it knows yet. */
async function open(options: FakeCloudreveOptions = {}): Promise<Stage> {
  await using resources = new AsyncDisposableStack()
  const fake = resources.use(await startFakeCloudreve({ users: [user], ...options }))
  const api = resources.use(await openApi(inject('redisUrl')))
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 })
  const owned = resources.move()
  return {
    api,
    fake,
    url,
    run: async (argv, env = {}) => runUnattended(argv, { url, env: { STEVEDORE_TOKEN: api.token, ...env } }),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  }
}

const env = { CLOUDREVE_EMAIL: user.email, CLOUDREVE_PASSWORD: user.password }

const addDrive = async ({ fake, run }: Stage, more: Readonly<Record<string, string>> = {}): Promise<void> => {
  const argv = ['account', 'add', 'cloudreve', 'drive', '--base-url', fake.baseUrl]
  expect(await run(argv, { ...env, ...more })).toMatchObject({ code: 0 })
}

describe('an account', () => {
  test('is added and logged in with password and TOTP secret, and shows neither', async () => {
    await using stage = await open({ users: [{ ...user, totpSecret: SECRET }] })
    await addDrive(stage, { CLOUDREVE_TOTP_SECRET: SECRET })

    const login = await stage.run(['account', 'login', 'drive'])
    const shown = await stage.run(['account', 'show', 'drive'])

    expect(login).toMatchObject({ code: 0, out: 'Account drive is logged in\n' })
    expect(shown.out).toMatch(/^state +ready$/m)
    expect(shown.out).not.toMatch(/lovelace|JBSWY/)
    expect(stage.fake.violations).toEqual([])
  })

  test('asks for a captcha as a picture', async () => {
    await using stage = await open({ captcha: 'x7kq' })
    await addDrive(stage)
    const { io, answer, out } = openSession({ STEVEDORE_TOKEN: stage.api.token })

    const running = runHere(['account', 'login', 'drive', '--url', stage.url], io)
    await answer(/asks for a captcha: .* \/\S+\/picture\.\w+\n[^]*What the picture shows/, 'x7kq\r')

    expect(await running).toBe(0)
    expect(out.text()).toBe('Account drive is logged in\n')
  })
})

const files = z.array(z.object({ id: z.string(), versions: z.array(z.object({ number: z.string() })) }))

describe('files', () => {
  test('with every awkward character are listed, fetched, and removed', async () => {
    await using stage = await open()
    const { fake, run } = stage
    await addDrive(stage)
    const bytes = Buffer.from('the bytes of a backup')
    const uri = 'cloudreve://my/back%20ups/a%20%231%20100%25%20%2B%20%F0%9F%9A%A2%20u%CC%88.zip'
    const older = await fake.seedFile({ uri, bytes: Buffer.from('older') })
    const newer = await fake.seedFile({ uri, bytes })

    const listed = await run(['files', 'cloudreve://my/back ups', '--json'])
    const [found] = files.parse(JSON.parse(listed.out))
    const target = join(await mkdtemp(join(tmpdir(), 'stevedore-get-')), 'got.zip')
    const fetched = await run(['download', found?.id ?? '', newer, '-o', target])
    const content = await readFile(target)
    const oneLess = await run(['delete', uri, older, '--yes'])
    const after = await run(['files', 'cloudreve://my/back%20ups/'])
    const removed = await run(['delete', uri, '--yes'])
    await rm(join(target, '..'), { recursive: true })

    expect(found?.id).toBe(uri)
    expect(fetched).toMatchObject({ code: 0 })
    expect(content).toEqual(bytes)
    expect(oneLess).toMatchObject({ code: 0 })
    expect(after.out).toContain(newer)
    expect(removed).toMatchObject({ code: 0 })
    expect((await fake.files()).filter(({ type }) => type === 'file')).toEqual([])
    expect(fake.violations).toEqual([])
  })

  test('that are not there, and what no version is called, is said', async () => {
    await using stage = await open()
    await addDrive(stage)
    const none = ['delete', 'cloudreve://my/none.zip', '--yes']

    expect(await stage.api.ask('GET', '/v1/accounts/drive/files?tag=x')).toMatchObject({
      status: 422,
      json: { detail: expect.stringContaining('tag') },
    })
    expect(await stage.run(none)).toMatchObject({ code: 1, err: expect.stringContaining('(404)') })
    expect(await stage.run(['versions', 'cloudreve://my/none.zip'])).toMatchObject({
      code: 0,
      err: 'Nothing arrived there yet\n',
    })
  })
})

describe('an upload', () => {
  test('is accepted for the folder under the name of its file', async () => {
    await using stage = await open()
    const { api, run } = stage
    await addDrive(stage)
    await api.file('ä #1.zip', 'abc')
    const file = join(api.folder, 'ä #1.zip')

    const { code, out } = await run([
      'upload',
      file,
      '--account',
      'drive',
      '--to',
      'cloudreve://my/b/',
      '--json',
    ])
    const again = await run([
      'upload',
      file,
      '--account',
      'drive',
      '--to',
      'cloudreve://my/b/ä #1.zip',
      '--json',
    ])

    const [first] = z.array(z.object({ upload: z.looseObject({ id: z.string() }) })).parse(JSON.parse(out))
    expect(code).toBe(0)
    expect(first?.upload).toMatchObject({
      provider: 'cloudreve',
      source: pathToFileURL(file).href,
      destination: { uri: 'cloudreve://my/b/', onConflict: 'version' },
    })
    // To the same place, so it has to wait for the first.
    const second = await api.stores.uploads.dispatch(10).then(() => JSON.parse(again.out))
    const shown = await run(['status', z.string().parse(second[0].upload.id), '--json'])
    expect(JSON.parse(shown.out)).toMatchObject({ waitingFor: `destination: ${first?.upload.id ?? ''}` })
  })

  test('is refused where the name can not be, or what the account is says otherwise', async () => {
    await using stage = await open()
    const { api, run } = stage
    await addDrive(stage)
    await api.file('a:b.zip', 'abc')
    const file = join(api.folder, 'a:b.zip')

    const name = await run(['upload', file, '--account', 'drive', '--to', 'cloudreve://my/'])
    const missing = await run(['upload', file, '--account', 'drive'])
    const other = await run(['upload', file, '--account', 'drive', '--provider', 'vrchat'])

    expect(name).toMatchObject({ code: 1, err: expect.stringContaining('Cloudreve allows no :') })
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('--to is missing') })
    expect(other).toMatchObject({
      code: 1,
      err: expect.stringContaining('the account drive is one of cloudreve'),
    })
  })
})
