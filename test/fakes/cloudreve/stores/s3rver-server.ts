import { mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { AwsClient } from 'aws4fetch'
import { XMLParser } from 'fast-xml-parser'
import S3rver from 's3rver'
import { request } from 'undici'
import { z } from 'zod'
import { type Keys, encode } from './signing/scheme.ts'
import type { Store } from './store.ts'

/** The only pair that s3rver knows. */
export const s3rverKeys: Keys = { accessKey: 'S3RVER', secretKey: 'S3RVER' }
export const REGION = 'us-east-1'

export interface Passed {
  readonly status: number
  readonly type: string | undefined
  readonly etag: string | undefined
  readonly text: string
}

/** s3rver in this process, with one bucket. Lengths in bytes. */
export interface S3rverServer extends Pick<Store, 'stat' | 'read' | 'remove'>, AsyncDisposable {
  /** Answers the id of a new upload. */
  readonly initiate: (key: string) => Promise<string>
  readonly putPart: (part: PassedPart) => Promise<Passed>
  /** `length` is that of the object. */
  readonly complete: (list: { key: string; rawUrl: string; body: Buffer; length: number }) => Promise<Passed>
}

interface PassedPart {
  readonly uploadId: string
  readonly number: number
  readonly rawUrl: string
  readonly length: number
  readonly body: AsyncIterable<Buffer>
}

export async function startS3rver(parent: string): Promise<S3rverServer> {
  const directory = await mkdtemp(join(parent, 'fake-store-s3rver-'))
  const configureBuckets = [{ name: 'bucket', configs: [] }]
  const options = { address: '127.0.0.1', port: 0, silent: true, vhostBuckets: false }
  const s3rver = new S3rver({ ...options, directory, configureBuckets })
  const { port } = await s3rver.run()
  const origin = `http://127.0.0.1:${port}`
  const call = caller(origin)

  return {
    initiate: async (key) => uploadIdOf(await (await call('POST', key, '?uploads')).text()),
    putPart: async ({ uploadId, number, rawUrl, length, body }) => {
      const passed = await pass('PUT', origin + rawUrl, { length, body: Readable.from(body) })
      const file = join(directory, 'bucket', '._S3rver_uploads', uploadId, String(number))
      if (passed.status === 200) await written(file, length)
      return passed
    },
    complete: async ({ key, rawUrl, body, length }) => {
      const passed = await pass('POST', origin + rawUrl, { length: body.length, body })
      if (passed.status === 200) await written(join(directory, 'bucket', `${key}._S3rver_object`), length)
      return passed
    },
    stat: async (key) => {
      const { ok, headers } = await call('HEAD', key)
      return ok ? Number(headers.get('content-length')) : undefined
    },
    read: async (key) => {
      const answer = await call('GET', key)
      if (!answer.ok) throw new Error(`s3rver has no object ${key}`)
      return Buffer.from(await answer.arrayBuffer())
    },
    remove: async (key) => void (await call('DELETE', key)),
    [Symbol.asyncDispose]: async () => {
      await s3rver.close()
      await rm(directory, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** Where an object is, from the root of a server. */
export function objectPath(key: string): string {
  return `/bucket/${key.split('/').map(encode).join('/')}`
}

function caller(origin: string): (method: string, key: string, query?: string) => Promise<Response> {
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = s3rverKeys
  const aws = new AwsClient({ accessKeyId, secretAccessKey, service: 's3', region: REGION, retries: 0 })
  return (method, key, query = '') => aws.fetch(origin + objectPath(key) + query, { method })
}

const initiated = z.object({ InitiateMultipartUploadResult: z.object({ UploadId: z.string() }) })

function uploadIdOf(text: string): string {
  const parsed: unknown = new XMLParser({ parseTagValue: false }).parse(text)
  return initiated.parse(parsed).InitiateMultipartUploadResult.UploadId
}

async function pass(
  method: 'PUT' | 'POST',
  url: string,
  { length, body }: { length: number; body: Readable | Buffer },
): Promise<Passed> {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(length) }
  const answer = await request(url, { method, headers, body })
  const { 'content-type': type, etag } = answer.headers
  return {
    status: answer.statusCode,
    type: [type].flat()[0],
    etag: [etag].flat()[0],
    text: await answer.body.text(),
  }
}

/** s3rver 3.7.1 answers when it has read a body, and what it writes of it may still be on its way to the disk. */
async function written(file: string, length: number): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  while ((await stat(file)).size < length) await sleep(1, undefined, { signal })
}
