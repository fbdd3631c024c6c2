import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { StoreKind } from '../../fakes/cloudreve/stores/store.ts'
import {
  FILE,
  type Client,
  type Created,
  clientOf,
  created,
  drop,
  info,
  infoOf,
  plainStore,
  signedIn,
} from './cloudreve-raw.ts'
import { send } from './raw-client.ts'

async function stage(type: StoreKind, more: { sharePoint?: boolean; failCallbacks?: number } = {}) {
  const objects = new Map<string, Buffer>()
  const { failCallbacks = 0, ...policy } = more
  const { fake, client } = await signedIn({
    policies: [{ type, ...policy }],
    stores: plainStore(type, objects),
    failCallbacks,
  })
  const session = await created(client, { policy_id: `${type}0` })
  return { fake, client, session, objects, anonymous: clientOf(fake) }
}

async function store({ upload_urls }: Created, text: string): Promise<void> {
  const [url = ''] = [upload_urls].flat().map(String)
  await send(url, { method: 'PUT', body: Buffer.from(text) })
}

const call = (client: Client, method: string, kind: string, { session_id, callback_secret }: Created) =>
  client.call(method, `/callback/${kind}/${session_id}/${callback_secret}`)

describe('callbacks', () => {
  test.each([
    ['s3', 'GET', 'POST'],
    ['ks3', 'GET', 'POST'],
    ['cos', 'GET', 'POST'],
    ['onedrive', 'POST', 'GET'],
    ['oss', 'POST', 'GET'],
    ['obs', 'POST', 'GET'],
    ['qiniu', 'POST', 'GET'],
    ['upyun', 'POST', 'GET'],
    ['remote', 'POST', 'GET'],
  ] as const)('of %s complete with %s and are nothing with %s', async (kind, right, wrong) => {
    const { fake, client, session, anonymous } = await stage(kind)
    await store(session, 'x'.repeat(10))

    const missed = await call(anonymous, wrong, kind, session)
    const taken = await call(anonymous, right, kind, session)
    const again = await call(anonymous, right, kind, session)

    expect(missed.status).toBe(404)
    expect(taken).toMatchObject({ status: 200, text: '{"code":0,"msg":""}' })
    expect(again).toMatchObject({ status: 401, code: 40_011 })
    expect(await infoOf(client)).toMatchObject({ size: 10, metadata: null })
    expect((await fake.contents(FILE)).toString()).toBe('x'.repeat(10))
    expect(fake.violations).toEqual([`callback: ${wrong} for ${kind}, which takes ${right}`])
    expect(fake.ledger).toContainEqual(
      expect.objectContaining({
        operation: `${kind}.put`,
        user: 'alice@example.org',
        uri: FILE,
        sessionId: session.session_id,
        bytes: 10,
      }),
    )
  })

  test('with a wrong secret, or of another kind, are 401', async () => {
    const { session, anonymous } = await stage('s3')
    await store(session, 'x'.repeat(10))

    const guessed = await call(anonymous, 'GET', 's3', { ...session, callback_secret: 'guess' })
    const other = await call(anonymous, 'GET', 'ks3', session)

    expect([guessed, other]).toMatchObject([
      { status: 401, code: 40_011 },
      { status: 401, code: 40_011 },
    ])
  })

  test.each([
    ['s3', 'GET', 400],
    ['ks3', 'GET', 400],
    ['cos', 'GET', 400],
    ['onedrive', 'POST', 200],
  ] as const)('of %s ask the store: nothing there, or another size', async (kind, method, status) => {
    const { client, session, anonymous } = await stage(kind)

    const nothing = await call(anonymous, method, kind, session)
    await store(session, 'short')
    const short = await call(anonymous, method, kind, session)
    await store(session, 'x'.repeat(10))
    const right = await call(anonymous, method, kind, session)

    expect(nothing).toMatchObject({ status, code: 50_011 })
    expect(short).toMatchObject({ status, code: 40_055 })
    expect(right).toMatchObject({ status: 200, code: 0 })
    expect(await infoOf(client)).toMatchObject({ size: 10 })
  })

  test.each(['oss', 'obs', 'qiniu', 'upyun', 'remote'] as const)(
    'of %s are believed, whatever is stored',
    async (kind) => {
      const { fake, client, session, anonymous } = await stage(kind)
      await store(session, 'short')

      expect(await call(anonymous, 'POST', kind, session)).toMatchObject({ code: 0 })
      expect(await infoOf(client)).toMatchObject({ size: 10 })
      expect((await fake.totals()).files).toMatchObject([{ declaredSize: 10, storedBytes: 5 }])
    },
  )

  test('of OneDrive on SharePoint let it be a little larger, elsewhere not', async () => {
    const point = await stage('onedrive', { sharePoint: true })
    const plain = await stage('onedrive')
    for (const { session } of [point, plain]) await store(session, 'x'.repeat(11))

    expect(await call(point.anonymous, 'POST', 'onedrive', point.session)).toMatchObject({ code: 0 })
    expect(await call(plain.anonymous, 'POST', 'onedrive', plain.session)).toMatchObject({ code: 40_055 })
  })

  test.each([
    ['s3', 'GET', 400, -1],
    ['oss', 'POST', 400, -1],
    ['onedrive', 'POST', 200, -1],
    ['remote', 'POST', 200, -1],
    ['qiniu', 'POST', 400, -999],
  ] as const)(
    'of %s that fail do so in their own way, and can be repeated',
    async (kind, method, status, code) => {
      const { session, anonymous } = await stage(kind, { failCallbacks: 1 })
      await store(session, 'x'.repeat(10))

      expect(await call(anonymous, method, kind, session)).toMatchObject({ status, code })
      expect(await call(anonymous, method, kind, session)).toMatchObject({ status: 200, code: 0 })
    },
  )

  test('after a restart find no lock: 40073 without data, and the whole file is lost', async () => {
    const { fake, session, anonymous } = await stage('s3')
    await store(session, 'x'.repeat(10))
    fake.restart()

    const answer = await call(anonymous, 'GET', 's3', session)

    expect(answer).toMatchObject({ status: 400, code: 40_073 })
    expect(answer.text).not.toContain('"data"')
  })
})

describe('what a store holds unfinished', () => {
  test('goes with the session, or with the task some minutes after its expiry', async () => {
    const { fake, client, session } = await stage('s3')
    await created(client, { uri: 'cloudreve://my/b', policy_id: 's30' })
    const before = (await fake.totals()).unfinished

    await drop(client, session.session_id)
    const after = (await fake.totals()).unfinished
    await fake.expireSessions()
    const expired = (await fake.totals()).unfinished
    await fake.passTime(5 * 60_000)

    expect([before, after, expired]).toEqual([{ s3: 2 }, { s3: 1 }, { s3: 1 }])
    expect((await fake.totals()).unfinished).toEqual({ s3: 0 })
    expect(fake.placeholders()).toMatchObject([{ uri: 'cloudreve://my/b', isLive: false }])
  })

  test('stays at Qiniu: the cancel fails with -1, though the placeholder is gone', async () => {
    const { fake, client, session } = await stage('qiniu')

    expect(await drop(client, session.session_id)).toMatchObject({ status: 200, code: -1 })
    expect(await info(client)).toMatchObject({ code: 40_016 })
    expect((await fake.totals()).unfinished).toEqual({ qiniu: 1 })
  })
})

test('a policy without its store is told at the start, and nothing is left of it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cloudreve-start-'))
  onTestFinished(() => rm(directory, { recursive: true }))

  await expect(signedIn({ directory, policies: [{ type: 's3' }] })).rejects.toThrow(
    'policy s30 needs a store of kind s3: give one in the option stores',
  )

  expect(await readdir(directory)).toEqual([])
})
