import { expect, test } from 'vitest'
import { createS3rverStore } from '../../../fakes/cloudreve/stores/s3rver.ts'
import type { Opened } from '../../../fakes/cloudreve/stores/store.ts'
import { KEY, type Stage, cut, md5, partList, send, stage } from './stage.ts'

const BYTES = Buffer.from('the quick brown fox')
const PARTS = cut(BYTES, 8)

async function putAll({ upload_urls: urls }: Opened, parts = PARTS): Promise<unknown[]> {
  const answers = await Promise.all(parts.map((body, index) => send('PUT', urls[index], { body })))
  return answers.map(({ headers }) => headers['etag'])
}

async function opened(): Promise<{ s3: Stage; session: Opened }> {
  const s3 = await stage(createS3rverStore)
  return { s3, session: await s3.open(BYTES, 8) }
}

test('a server that others wrote takes the parts and joins them', async () => {
  const { s3, session } = await opened()

  const etags = await putAll(session)
  const body = partList(etags.map((etag) => String(etag).replaceAll('"', '&quot;')))
  const done = await send('POST', session.completeURL, { body })

  expect(etags).toEqual(PARTS.map((part) => `"${md5(part)}"`))
  expect(done).toMatchObject({ status: 200, headers: { 'content-type': expect.stringContaining('xml') } })
  expect(done.text).toContain('<CompleteMultipartUploadResult>')
  expect(await s3.store.read(KEY)).toEqual(BYTES)
  expect(await s3.store.stat(KEY)).toBe(BYTES.length)
  expect(s3.store.unfinished()).toBe(0)
  expect(s3.host.violations).toEqual([])
  await s3.store.remove(KEY)
  expect(await s3.store.stat(KEY)).toBeUndefined()
  await expect(s3.store.read(KEY)).rejects.toThrow('no object')
})

test('an empty file', async () => {
  const s3 = await stage(createS3rverStore)
  const session = await s3.open(0, 8)

  const done = await send('POST', session.completeURL, {
    body: partList(await putAll(session, [Buffer.alloc(0)])),
  })

  expect(done.status).toBe(200)
  expect(await s3.store.stat(KEY)).toBe(0)
})

test('what is not signed so, chunked, late, or over, is refused before it', async () => {
  const { s3, session } = await opened()
  const [url = ''] = session.upload_urls
  const chunks = (async function* () {
    yield Buffer.from('the quic')
  })()

  const wrong = [
    await send('PUT', url, { body: 'short' }),
    await send('PUT', url.replace('partNumber=1', 'partNumber=2'), { body: PARTS[0] ?? '' }),
    await send('PUT', url, { body: chunks }),
  ]
  const noted = s3.host.violations.length
  s3.aheadMs = 3_700_000
  const late = await send('PUT', url, { body: PARTS[0] ?? '' })
  s3.aheadMs = 0
  await s3.store.abort('session-1')
  const over = await send('PUT', url, { body: PARTS[0] ?? '' })

  expect([...wrong, late, over].map(({ status }) => status)).toEqual([403, 403, 501, 403, 404])
  expect(noted).toBe(3)
  expect(s3.host.violations).toHaveLength(3)
  expect(s3.store.unfinished()).toBe(0)
})

test('what is no list of parts, it refuses itself', async () => {
  const { session } = await opened()
  await putAll(session)

  const refused = await send('POST', session.completeURL, { body: '<CompleteMultipartUpload/>' })

  expect(refused.status).toBe(400)
  expect(refused.text).toContain('<Code>MalformedXML</Code>')
})

test('bytes and ETags are spoilt by fault on their way to it', async () => {
  const { s3, session } = await opened()
  s3.host.faults.add({ operation: 's3.putPart', where: { chunkIndex: 0 }, action: 'store-short' })
  s3.host.faults.add({ operation: 's3.putPart', where: { chunkIndex: 1 }, action: 'no-etag' })

  const [short, none] = await putAll(session)

  expect([short, none]).toEqual([`"${md5('the qui')}"`, undefined])
})
