import { expect, test } from 'vitest'
import { CHUNK, openDrive, type Drive } from '../../support/cloudreve-service.ts'

/** What a real site would have answered for a session of an S3 policy, but for what is given. */
const session = (given: Readonly<Record<string, unknown>>) => ({
  session_id: '9897ebae-7b73-4169-aabc-6396f470e4bb',
  upload_id: 'u',
  chunk_size: CHUNK,
  expires: Math.round(Date.now() / 1000) + 3600,
  upload_urls: ['http://127.0.0.1:9/1?sign=a', 'http://127.0.0.1:9/2?sign=b', 'http://127.0.0.1:9/3?sign=c'],
  completeURL: 'http://127.0.0.1:9/done?sign=d',
  storage_policy: { id: 'p', name: 'bucket', type: 's3' },
  uri: 'cloudreve://my/a.bin',
  callback_secret: 'callback-secret',
  ...given,
})

async function failureOf(drive: Drive, data: unknown): Promise<string> {
  const action = { kind: 'status', status: 200, body: { code: 0, data }, early: false } as const
  drive.fake.faults.add({ operation: 'createSession', action })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 3 * CHUNK }))
  expect(record).toMatchObject({ state: 'failed', error: { class: 'refused' }, bytesSent: 0 })
  expect(drive.requests('deleteSession').length).toBeGreaterThan(0)
  return record.error?.message ?? ''
}

test.for([
  [{ upload_urls: [] }, 'it has 0 of the 3 upload URLs'],
  [{ upload_urls: ['http://127.0.0.1:9/1'] }, 'it has 1 of the 3 upload URLs'],
  [{ upload_urls: Array(3).fill('file:///etc/passwd') }, 'not all of its upload URLs are http(s) addresses'],
  [{ completeURL: 'gopher://127.0.0.1/' }, 'not all of its upload URLs are http(s) addresses'],
  [{ completeURL: '' }, 'it has no completeURL'],
  [{ callback_secret: '' }, 'it has no callback_secret'],
  [{ chunk_size: 1.5 }, 'its chunk size is 1.5 bytes'],
  [{ chunk_size: -5 }, 'its chunk size is -5 bytes'],
  [{ chunk_size: 1 }, 'raise the chunk size of the policy'],
  [{ storage_policy: { id: 'p', name: 'cloud', type: 'googledrive' } }, 'is of type "googledrive"'],
  [
    { encrypt_metadata: { algorithm: 'rot13', key_plain_text: 'a', iv: 'b' } },
    'it wants the bytes encrypted by "rot13"',
  ],
] as const)('a session that nothing can be sent to is given back, and says why: %j', async ([given, why]) => {
  await using drive = await openDrive()
  const message = await failureOf(drive, session(given))
  expect(message).toContain('The site opened an upload session that can not be used')
  expect(message).toContain(why)
  expect(message).not.toMatch(/sign=|callback-secret|etc\/passwd/)
})

test('row 40: an answer that repeats the request does so in no message, whichever field it uses', async () => {
  await using drive = await openDrive()
  const echoed =
    '/api/v4/callback/s3/45204e28/2bcb35ef5a070c44b2f457f4cdd62f54 Bearer eyJhbGciOiJIUzI1NiJ9.e30.x'
  const body = { code: 40_052, msg: '', correlation_id: echoed }
  const action = { kind: 'status', status: 200, body, early: false } as const
  drive.fake.faults.add({ operation: 'createSession', action })
  const record = await drive.until(await drive.upload({ name: 'a.bin', content: 10 }))
  expect(record).toMatchObject({ state: 'failed' })
  expect(JSON.stringify(await drive.stores.redis.hgetall(drive.stores.keys.upload(record.id)))).not.toMatch(
    /2bcb35ef|eyJhbGci/,
  )
})

test('the session of a file of many parts has many URLs, and is read all the same', async () => {
  const policies = [{ type: 's3', chunkSize: 1024, chunkConcurrency: 4 }] as const
  await using drive = await openDrive({ fake: { policies: [...policies] } })
  const count = 3000
  const record = await drive.until(
    await drive.upload({ name: 'a.bin', content: count * 1024 }),
    (now) => now.session !== undefined,
  )
  expect(record.partsTotal).toBe(count)
  await drive.stores.uploads.want(record.id, 'cancel')
  await drive.until(record.id)
  expect(await drive.stores.redis.exists(drive.stores.keys.tickets(record.id, 1))).toBe(0)
})
