import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { FaultRule } from '../../fakes/vrchat/server.ts'
import {
  AGENT,
  SIGNATURE,
  WORLD,
  basic,
  cookieOf,
  declared,
  fileOf,
  md5Base64,
  md5Hex,
  messageOf,
  newVersion,
  putPart,
  putSimple,
  rawClient,
  send,
  settled,
  signedIn,
  statuses,
  urlOf,
  versions,
} from './raw-client.ts'

const SIGNATURE_TYPE = 'application/x-rsync-signature'
const CUT = /closed|ECONNRESET|EPIPE/

describe('uploading', () => {
  test('a simple file and its signature end as a complete version', async () => {
    const { client, fake } = await signedIn()
    const { id, answer } = await newVersion(client, Buffer.from('bundle'))

    const blob = { category: 'simple', status: 'waiting', uploadId: '' }
    expect(fileOf(answer).versions[1]).toMatchObject({ status: 'waiting', file: blob, signature: blob })
    const put = await putSimple(client, `/file/${id}/1/file`, Buffer.from('bundle'))
    const gap = await client.call('PUT', `/file/${id}/1/file/finish`)
    await putSimple(client, `/file/${id}/1/signature`, SIGNATURE, SIGNATURE_TYPE)
    const last = await client.call('PUT', `/file/${id}/1/signature/finish`, {
      body: { maxParts: 0, nextPartNumber: 0 },
    })
    const done = await settled(client, id)

    expect(put).toMatchObject({ status: 200, headers: { etag: `"${md5Hex(Buffer.from('bundle'))}"` } })
    expect(statuses(gap)).toEqual(['waiting', 'complete', 'waiting'])
    expect(statuses(last)).toEqual(['queued', 'queued', 'complete'])
    expect(statuses(done)).toEqual(['complete', 'complete', 'complete'])
    expect(await fake.bytesOf(id, 1, 'file')).toEqual(Buffer.from('bundle'))
    expect(fake.openVersions()).toEqual([])
    expect(fake.maxOpenVersions).toBe(1)
    expect(fake.violations).toEqual([])
  })

  test('parts in any order, one of them twice, are joined in part order', async () => {
    const { client, fake } = await signedIn({
      multipartThreshold: 10,
      minPartSize: 4,
      statusNextPart: 'count',
    })
    const bytes = Buffer.from('aaaaaaaabbbb')
    const { id } = await newVersion(client, bytes)

    await putPart(client, id, 3, 'bbbb')
    await putPart(client, id, 1, 'wrong')
    const first = await putPart(client, id, 1, 'aaaa')
    const status = await client.call('GET', `/file/${id}/1/file/status`)
    await putPart(client, id, 2, 'aaaa')
    const etags = [md5Hex('aaaa'), md5Hex('aaaa'), md5Hex('bbbb')]
    await client.call('PUT', `/file/${id}/1/file/finish`, { body: { etags } })
    await putSimple(client, `/file/${id}/1/signature`, SIGNATURE, WORLD)
    await client.call('PUT', `/file/${id}/1/signature/finish`)
    const done = await settled(client, id)

    expect(first.headers['etag']).toBe(`"${md5Hex('aaaa')}"`)
    expect(status.json).toMatchObject({
      etags: [md5Hex('aaaa'), md5Hex('bbbb')],
      nextPartNumber: 2,
      maxParts: 1000,
    })
    expect(statuses(done)).toEqual(['complete', 'complete', 'complete'])
    expect(await fake.bytesOf(id, 1, 'file')).toEqual(bytes)
    expect(await fake.sha256Of(id, 1, 'file')).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(fake.violations).toEqual([])
  })

  test.each([
    ['missing', undefined],
    ['quoted', [`"${md5Hex('aaaa')}"`, md5Hex('bb')]],
    ['out of order', [md5Hex('bb'), md5Hex('aaaa')]],
    ['too few', [md5Hex('aaaa')]],
  ])('finish refuses etags that are %s', async (_, etags) => {
    const { client, fake } = await signedIn({ multipartThreshold: 1, minPartSize: 4 })
    const { id } = await newVersion(client, Buffer.from('aaaabb'))
    await putPart(client, id, 1, 'aaaa')
    await putPart(client, id, 2, 'bb')

    const refused = await client.call('PUT', `/file/${id}/1/file/finish`, { body: { etags } })

    expect(refused.status).toBe(400)
    expect(fake.violations).toHaveLength(1)
  })

  test('finish refuses a small part before the last, and etags for a simple file', async () => {
    const { client, fake } = await signedIn({ multipartThreshold: 4, minPartSize: 4 })
    const { id } = await newVersion(client, Buffer.from('aaabb'))
    await putPart(client, id, 1, 'aaa')
    await putPart(client, id, 2, 'bb')
    const other = await newVersion(client, Buffer.from('x'))
    await putSimple(client, `/file/${other.id}/1/file`, Buffer.from('x'))

    const small = await client.call('PUT', `/file/${id}/1/file/finish`, {
      body: { etags: [md5Hex('aaa'), md5Hex('bb')] },
    })
    const etags = await client.call('PUT', `/file/${other.id}/1/file/finish`, {
      body: { etags: [md5Hex('x')] },
    })

    expect(messageOf(small)).toContain('EntityTooSmall')
    expect(etags.status).toBe(500)
    expect(fake.violations).toHaveLength(2)
  })

  test('an empty file is uploaded like any other', async () => {
    const { client, fake } = await signedIn()
    const { id } = await newVersion(client, Buffer.alloc(0))

    const put = await putSimple(client, `/file/${id}/1/file`, Buffer.alloc(0))
    await client.call('PUT', `/file/${id}/1/file/finish`)
    await putSimple(client, `/file/${id}/1/signature`, SIGNATURE, SIGNATURE_TYPE)
    await client.call('PUT', `/file/${id}/1/signature/finish`)

    expect(put.status).toBe(200)
    expect(statuses(await settled(client, id))).toEqual(['complete', 'complete', 'complete'])
    expect(await fake.sha256Of(id, 1, 'file')).toMatch(/^e3b0c442/)
  })

  test('bytes that are not what was declared end as an error', async () => {
    const { client } = await signedIn({ multipartThreshold: 1 })
    const { id } = await newVersion(client, Buffer.from('good'))
    await putPart(client, id, 1, 'evil')

    await client.call('PUT', `/file/${id}/1/file/finish`, { body: { etags: [md5Hex('evil')] } })
    await putSimple(client, `/file/${id}/1/signature`, SIGNATURE, SIGNATURE_TYPE)
    await client.call('PUT', `/file/${id}/1/signature/finish`)

    expect(statuses(await settled(client, id))).toEqual(['error', 'error', 'complete'])
  })

  test('a complete version refuses start, leaves status hanging, and can be downloaded', async () => {
    const { client, fake } = await signedIn()
    const id = fake.seedFile({ owner: 'alice' })
    await fake.seedVersion(id, { file: Buffer.from('whole') })

    const start = await client.call('PUT', `/file/${id}/1/file/start`)
    const status = fetch(`${fake.baseUrl}/file/${id}/1/file/status`, {
      headers: { cookie: cookieOf(client), 'user-agent': AGENT },
      signal: AbortSignal.timeout(50),
    })
    await expect(status).rejects.toThrow('timeout')
    const redirect = await client.call('GET', `/file/${id}/1/file`)
    const bytes = await send(String(redirect.headers['location']), { method: 'GET' })
    const empty = await client.call('GET', `/file/${id}/0`)

    expect(start.status).toBe(400)
    expect(messageOf(start)).toMatch(/^".*\u2024"$/)
    expect(redirect.status).toBe(302)
    expect(bytes.text).toBe('whole')
    expect(empty.status).toBe(404)
  })
})

describe('files and versions', () => {
  test('an unfinished version blocks the next one; only the newest can be deleted; numbers only grow', async () => {
    const { client, fake } = await signedIn()
    const id = fake.seedFile()
    await fake.seedVersion(id)
    const body = declared(Buffer.from('a'), SIGNATURE)

    const second = await client.call('POST', `/file/${id}`, { body })
    const blocked = await client.call('POST', `/file/${id}`, { body })
    const older = await client.call('DELETE', `/file/${id}/1`)
    const initial = await client.call('DELETE', `/file/${id}/0`)
    const newest = await client.call('DELETE', `/file/${id}/2`)
    const third = await client.call('POST', `/file/${id}`, { body })

    expect(versions(second)).toEqual([0, 1, 2])
    expect([blocked, older, initial].map(({ status }) => status)).toEqual([400, 500, 400])
    expect(messageOf(older)).toMatch(/^"409.*1 != 2"$/)
    expect(versions(newest)).toEqual([0, 1])
    expect(versions(third)).toEqual([0, 1, 3])
  })

  test('reads show the state before a write for a while', async () => {
    const { client } = await signedIn({ staleReadMs: 100 })
    const { id } = await newVersion(client, Buffer.from('a'))

    const early = await client.call('GET', `/file/${id}`)
    await sleep(110)
    const late = await client.call('GET', `/file/${id}`)

    expect(versions(early)).toEqual([0])
    expect(versions(late)).toEqual([0, 1])
  })

  test('errors come in their several shapes', async () => {
    const { client } = await signedIn()

    const noFile = await client.call('GET', '/file/file_none')
    const noRoute = await client.call('GET', '/nowhere')
    const validator = await client.call('GET', '/files?n=101')
    const badFile = await client.call('POST', '/file', {
      body: { name: '', extension: 'a', mimeType: 'a/b' },
    })
    const userId = await client.call('GET', '/files?userId=usr_1')

    expect(messageOf(noFile)).toBe("File 'file_none' not found")
    expect(noRoute).toMatchObject({ status: 404, json: { error: 'Not Found', status_code: 404 } })
    expect(validator).toMatchObject({ status: 400, json: { error: expect.any(String) } })
    expect([badFile.status, userId.status]).toEqual([400, 500])
  })

  test('the list pages and shows icons only by tag; a stranger may not write', async () => {
    const { client, fake } = await signedIn()
    fake.addUser({ username: 'carl', password: 'c' })
    const carl = rawClient(fake)
    await carl.call('GET', '/auth/user', { headers: basic('carl', 'c') })
    const ids = ['a', 'b', 'c'].map((name) => fake.seedFile({ owner: 'alice', name }))
    const icon = fake.seedFile({ owner: 'alice', tags: ['icon'] })

    const page = await client.call('GET', '/files?n=2&offset=1')
    const icons = await client.call('GET', '/files?tag=icon')
    const foreign = await carl.call('DELETE', `/file/${icon}`)

    expect(page.json).toMatchObject([{ id: ids[1] }, { id: ids[0] }])
    expect(icons.json).toMatchObject([{ id: icon }])
    expect(foreign.status).toBe(403)
  })

  test('the legacy form has a delta, storage addresses and a date of none', async () => {
    const { client, fake } = await signedIn({ legacyFiles: true })
    const id = fake.seedFile()
    await fake.seedVersion(id)

    const { versions } = fileOf(await client.call('GET', `/file/${id}`))

    expect(versions[0]).toMatchObject({ created_at: 'none' })
    expect(versions[1]).toMatchObject({
      delta: { status: 'none', category: 'queued', md5: '' },
      file: { url: expect.stringMatching(`^${fake.storageUrl}/files.vrchat.cloud/`) },
    })
  })
})

describe('storage', () => {
  test('a simple body must come with the type and MD5 declared, and be what the MD5 says', async () => {
    const { client, fake } = await signedIn()
    const { id } = await newVersion(client, Buffer.from('good'))
    const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start`))
    const proper = { 'content-type': WORLD, 'content-md5': md5Base64(Buffer.from('good')) }
    const put = (headers: Record<string, string>, body = 'good', to = url) =>
      send(to, { method: 'PUT', headers, body })

    const answers = [
      await put({ ...proper, 'content-type': 'text/plain' }),
      await put({ 'content-type': WORLD }),
      await put(proper, 'evil'),
      await put({ ...proper, cookie: 'auth=x' }),
      await put({ ...proper, authorization: 'Basic x' }),
      await put(proper, 'good', `${url}0`),
      await put(proper),
    ]

    expect(answers.map(({ status, text }) => `${status} ${/<Code>(\w+)/.exec(text)?.[1] ?? ''}`)).toEqual([
      '403 SignatureDoesNotMatch',
      '403 SignatureDoesNotMatch',
      '400 BadDigest',
      '400 InvalidRequest',
      '400 InvalidArgument',
      '403 SignatureDoesNotMatch',
      '200 ',
    ])
    expect(fake.violations).toHaveLength(5)
  })

  test('a part takes no type, no MD5 and no chunks, and no upload it does not know', async () => {
    const { client, fake } = await signedIn({ multipartThreshold: 1 })
    const { id } = await newVersion(client, Buffer.from('good'))
    const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start?partNumber=1`))
    const without = await client.call('PUT', `/file/${id}/1/file/start`)
    const put = (headers: Record<string, string>) =>
      send(url, { method: 'PUT', headers, body: Buffer.from('g') })

    const typed = await put({ 'content-type': WORLD })
    const hashed = await put({ 'content-md5': md5Base64(Buffer.from('g')) })
    const inChunks = await send(url, { method: 'PUT', body: Readable.from([Buffer.from('good')]) })
    const right = await put({})
    await client.call('DELETE', `/file/${id}/1`)
    const gone = await put({})

    expect(without.status).toBe(400)
    expect([typed, hashed, inChunks, right, gone].map(({ status }) => status)).toEqual([
      403, 403, 501, 200, 404,
    ])
    expect(inChunks.text).toContain('NotImplemented')
    expect(gone.text).toContain('NoSuchUpload')
    expect(fake.violations).toHaveLength(3)
  })

  test('a client that leaves in the middle of a part leaves no part', async () => {
    const { client, fake } = await signedIn({ multipartThreshold: 1 })
    const { id } = await newVersion(client, Buffer.from('good'))
    const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start?partNumber=1`))
    const { promise: over, resolve } = Promise.withResolvers<void>()
    fake.hooks.onRequest = ({ operation, phase }) => {
      if (operation === 'putPart' && phase === 'after-reply') resolve()
    }

    const leaving = send(url, { method: 'PUT', headers: { 'content-length': '4' }, body: halfABody() })
    await expect(leaving).rejects.toThrow('left')
    await over

    const left = { operation: 'putPart', bytes: 2, status: 'none', decided: undefined }
    expect(fake.ledger.at(-1)).toMatchObject(left)
    expect(fake.files[0]?.versions[1]?.file?.parts).toEqual([])
    expect(fake.violations).toEqual([])
  })

  test('a URL expires', async () => {
    const { client } = await signedIn({ multipartThreshold: 1, urlLifetimeMs: 20 })
    const { id } = await newVersion(client, Buffer.from('good'))
    const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start?partNumber=1`))

    await sleep(30)
    const late = await send(url, { method: 'PUT', body: Buffer.from('good') })

    expect(new URL(url).searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/)
    expect(late.status).toBe(403)
    expect(late.text).toContain('Request has expired')
  })
})

describe('faults', () => {
  test('a lost reply was processed, a reset on arrival was not', async () => {
    const { client, fake } = await signedIn()
    const body = { name: 'n', mimeType: WORLD, extension: 'vrcw' }
    fake.faults.add({ operation: 'createFile', nth: 1, action: 'reset-on-arrival' })
    fake.faults.add({ operation: 'createFile', nth: 2, action: 'lost-reply' })

    await expect(client.call('POST', '/file', { body })).rejects.toThrow(CUT)
    expect(fake.files).toEqual([])
    await expect(client.call('POST', '/file', { body })).rejects.toThrow(CUT)
    expect(fake.files).toHaveLength(1)
    expect(fake.ledger.slice(-2)).toMatchObject([
      { fault: 'reset-on-arrival', status: 'none', decided: undefined },
      { fault: 'lost-reply', status: 'none', decided: 200 },
    ])
  })

  test('a status comes instead of the work, with headers and body as asked, and then is over', async () => {
    const { client, fake } = await signedIn({ multipartThreshold: 1 })
    const { id } = await newVersion(client, Buffer.from('good'))
    const headers = { 'retry-after': '1' }
    fake.faults.add({ operation: 'getFile', times: 1, action: { kind: 'status', status: 429, headers } })
    fake.faults.add({ operation: 'putPart', times: 1, action: { kind: 'status', status: 503 } })

    const limited = await client.call('GET', `/file/${id}`)
    const slow = await putPart(client, id, 1, 'good')
    await sleep(60)
    const fine = await client.call('GET', `/file/${id}`)

    expect(limited).toMatchObject({ status: 429, headers, json: { error: { status_code: 429 } } })
    expect(slow.status).toBe(503)
    expect(slow.text).toContain('<Code>SlowDown</Code>')
    expect(fine.status).toBe(200)
    expect(fake.violations).toEqual([expect.stringContaining('before Retry-After was over')])
  })

  test.each([
    ['wrong-etag', /^"(0123456789abcdef){2}"$/],
    ['no-etag', /^undefined$/],
    ['weak-etag', /^W\/"/],
    ['odd-etag', /-1"$/],
    ['store-short', new RegExp(`^"${md5Hex('goo')}"$`)],
    ['store-flipped', new RegExp(`^"${md5Hex('food')}"$`)],
  ] as const)('a part stored with %s says so only in its ETag', async (action, etag) => {
    const { client, fake } = await signedIn({ multipartThreshold: 1 })
    const { id } = await newVersion(client, Buffer.from('good'))
    fake.faults.add({ operation: 'putPart', where: { fileId: id, partNumber: 1 }, action })

    const answer = await putPart(client, id, 1, 'good')

    expect(answer.status).toBe(200)
    expect(String(answer.headers['etag'])).toMatch(etag)
  })

  test.each(['hang', 'hang-after', 'endless-headers', 'huge-body', 'drip'] as const)(
    '%s never gives a whole answer',
    async (action) => {
      const { client, fake } = await signedIn()
      fake.faults.add({ operation: 'checkAuth', action })

      const answer = fetch(`${fake.baseUrl}/auth`, {
        headers: { cookie: cookieOf(client), 'user-agent': AGENT },
        signal: AbortSignal.timeout(60),
      })

      await expect(answer.then((response) => response.text())).rejects.toThrow(/timeout|fetch failed/)
    },
  )

  test('a reset in the middle of the body leaves the part unknown and its bytes counted', async () => {
    const { client, fake } = await signedIn({ multipartThreshold: 1 })
    const { id } = await newVersion(client, Buffer.from('good'))
    fake.faults.add({ operation: 'putPart', nth: 1, action: 'reset-mid-body' })
    const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start?partNumber=1`))

    const cut = send(url, { method: 'PUT', body: Buffer.alloc(4_000_000) })

    await expect(cut).rejects.toThrow(CUT)
    const entry = fake.ledger.findLast(({ operation }) => operation === 'putPart')
    expect(entry).toMatchObject({ status: 'none', fileId: id, partNumber: 1 })
    expect(entry?.bytes).toBeGreaterThanOrEqual(2_000_000)
    expect(entry?.bytes).toBeLessThan(4_000_000)
    expect(fake.files[0]?.versions[1]?.file?.parts).toEqual([])
  })

  test('a seeded probability hits the same requests every time', async () => {
    const first = await statusesUnder({ operation: 'checkAuth', probability: 0.5, seed: 7, action: 'html' })
    const second = await statusesUnder({ operation: 'checkAuth', probability: 0.5, seed: 7, action: 'html' })

    expect(new Set(first)).toEqual(new Set([200, 502]))
    expect(second).toEqual(first)
  })

  test('a status may come early, while the body is still on its way', async () => {
    const { client, fake } = await signedIn({ multipartThreshold: 1, storageBytesPerSecond: 1000 })
    const { id } = await newVersion(client, Buffer.from('good'))
    fake.faults.add({ operation: 'putPart', action: { kind: 'status', status: 503, early: true } })
    const url = urlOf(await client.call('PUT', `/file/${id}/1/file/start?partNumber=1`))

    const answer = await send(url, { method: 'PUT', body: Buffer.alloc(20_000_000) })

    expect(answer.status).toBe(503)
    expect(fake.ledger.at(-1)).toMatchObject({ operation: 'putPart', bytes: 0, status: 503, user: 'alice' })
  })
})

describe('watching', () => {
  test('hooks see each phase, and the ledger holds what came', async () => {
    const { client, fake } = await signedIn({ maxConcurrentCalls: 1 })
    const seen: string[] = []
    fake.hooks.onRequest = ({ operation, phase }) => {
      seen.push(`${operation} ${phase}`)
    }
    fake.faults.add({ operation: '*', action: { kind: 'delay', ms: 30 } })

    await Promise.all([client.call('GET', '/files'), client.call('GET', '/auth')])

    expect(seen.filter((line) => line.startsWith('getFiles'))).toEqual([
      'getFiles arrival',
      'getFiles before-reply',
      'getFiles after-reply',
    ])
    expect(fake.accountStats('alice')).toMatchObject({ maxInFlight: 2, inFlight: 0, calls: 5 })
    expect(fake.violations).toEqual([expect.stringContaining('2 calls of alice at once')])
    expect(fake.ledger.at(-1)).toMatchObject({ user: 'alice', method: 'GET', status: 200, bytes: 0 })
  })

  test('the control interface adds users and faults and tells totals', async () => {
    const { client, fake } = await signedIn()
    const id = fake.seedFile()
    await fake.seedVersion(id, { file: Buffer.from('whole') })
    const control = (method: string, path: string, body?: unknown) =>
      send(fake.controlUrl + path, { method, body: body === undefined ? undefined : JSON.stringify(body) })

    await control('POST', '/users', { username: 'dora', password: 'd' })
    await control('POST', '/faults', { operation: 'checkAuth', action: { kind: 'html', status: 403 } })
    const broken = await client.call('GET', '/auth')
    await control('DELETE', '/faults')
    await control('POST', '/expire-sessions')
    const expired = await client.call('GET', '/auth')
    const wrong = await control('POST', '/faults', { operation: 'nothing', action: 'hang' })
    const totals = await control('GET', '/totals')
    const ledger = await control('GET', '/ledger?operation=checkAuth')
    const state = await control('GET', '/state')

    expect([broken.status, expired.status, wrong.status]).toEqual([403, 401, 400])
    expect(totals.json).toMatchObject({
      files: 1,
      completeVersions: 1,
      blobs: [{ sha256: createHash('sha256').update('whole').digest('hex'), storedBytes: 5 }, {}],
    })
    expect(ledger.json).toMatchObject([{ fault: 'html', status: 403 }, { status: 401 }])
    expect(state.json).toMatchObject({ files: [{ id }], openVersions: [] })
  })
})

async function statusesUnder(rule: FaultRule): Promise<number[]> {
  const { client, fake } = await signedIn()
  fake.faults.add(rule)
  const seen: number[] = []
  for (let count = 0; count < 8; count++) seen.push((await client.call('GET', '/auth')).status)
  return seen
}

async function* halfABody(): AsyncGenerator<Buffer> {
  yield Buffer.from('go')
  await sleep(20)
  throw new Error('left')
}
