import { AwsV4Signer } from 'aws4fetch'
import { expect, test } from 'vitest'
import { awsV4 } from '../../../fakes/cloudreve/stores/signing/aws-v4.ts'
import { cosSignature } from '../../../fakes/cloudreve/stores/signing/cos.ts'
import { ossV4 } from '../../../fakes/cloudreve/stores/signing/oss-v4.ts'
import { checkUploadToken, uploadToken } from '../../../fakes/cloudreve/stores/signing/qiniu.ts'
import { ks3V2, obsV2 } from '../../../fakes/cloudreve/stores/signing/query-v2.ts'
import { type Scheme, compactTime, hmac } from '../../../fakes/cloudreve/stores/signing/scheme.ts'
import { upyunAuthorization } from '../../../fakes/cloudreve/stores/signing/upyun.ts'

const EXAMPLE = { accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const MAY_2013 = Date.UTC(2013, 4, 24)

test('S3: the example of its documentation', () => {
  const url = new URL(
    'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
      '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z' +
      '&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  )
  const request = { method: 'GET', url, headers: { host: 'examplebucket.s3.amazonaws.com' } }
  const scheme = awsV4(EXAMPLE, 'us-east-1')

  expect(scheme.check(request, MAY_2013)).toBe('good')
  expect(scheme.check(request, MAY_2013 + 86_400_001)).toBe('expired')
  expect(scheme.check({ ...request, method: 'PUT' }, MAY_2013)).toBe('mismatch')
})

test('S3: what aws4fetch signed is good, and the other way round', async () => {
  const scheme = awsV4(EXAMPLE, 'us-east-1')
  const target = new URL('http://127.0.0.1:99/bucket/a%20b/%C3%BC%2B%281%29.bin?partNumber=3&uploadId=a%2Bb')
  const headers = { host: target.host, 'content-length': '5' }
  const now = Math.floor(Date.now() / 1000) * 1000
  const ours = new URL(
    scheme.sign(
      { method: 'PUT', url: target, headers: { 'content-length': '5' }, expires: now + 60_000 },
      now,
    ),
  )
  const timed = new URL(target)
  timed.searchParams.set('X-Amz-Expires', '60')
  const signer = new AwsV4Signer({
    method: 'PUT',
    url: timed.href,
    headers: { 'content-length': '5' },
    accessKeyId: EXAMPLE.accessKey,
    secretAccessKey: EXAMPLE.secretKey,
    region: 'us-east-1',
    service: 's3',
    datetime: compactTime(now),
    signQuery: true,
    allHeaders: true,
  })
  const { url: theirs } = await signer.sign()

  expect(scheme.check({ method: 'PUT', url: theirs, headers }, now)).toBe('good')
  expect(
    scheme.check({ method: 'PUT', url: theirs, headers: { ...headers, 'content-length': '6' } }, now),
  ).toBe('mismatch')
  expect(ours.searchParams.get('X-Amz-Signature')).toBe(theirs.searchParams.get('X-Amz-Signature'))
})

test('COS: the example of its documentation', () => {
  const keys = {
    accessKey: 'AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q',
    secretKey: 'BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz',
  }
  const host = 'examplebucket-1250000000.cos.ap-beijing.myqcloud.com'
  const time = '1557989151;1557996351'
  const names = 'content-length;content-md5;content-type;date;host;x-cos-acl;x-cos-grant-read'
  const url = new URL(
    `https://${host}/exampleobject(%E8%85%BE%E8%AE%AF%E4%BA%91)?q-sign-algorithm=sha1&q-ak=${keys.accessKey}` +
      `&q-sign-time=${time}&q-key-time=${time}&q-header-list=${names}&q-url-param-list=` +
      '&q-signature=3b8851a11a569213c17ba8fa7dcf2abec6935172',
  )
  const headers = {
    host,
    'content-length': '13',
    'content-md5': 'mQ/fVh815F3k6TAUm8m0eg==',
    'content-type': 'text/plain',
    date: 'Thu, 16 May 2019 06:45:51 GMT',
    'x-cos-acl': 'private',
    'x-cos-grant-read': 'uin="100000000011"',
  }
  const check = (sent: Record<string, string>, now: number) =>
    cosSignature(keys).check({ method: 'PUT', url, headers: sent }, now)

  expect(check(headers, 1_557_990_000_000)).toBe('good')
  expect(check(headers, 1_557_996_352_000)).toBe('expired')
  expect(check({ ...headers, 'content-length': '14' }, 1_557_990_000_000)).toBe('mismatch')
})

test.each([
  ['KS3', ks3V2, 'KSSAccessKeyId'],
  ['OBS', obsV2, 'AccessKeyId'],
])('%s: the example of S3, whose second version it has', (_, scheme, keyName) => {
  const url = new URL(
    `https://example.com/johnsmith/photos/puppy.jpg?${keyName}=${EXAMPLE.accessKey}&Expires=1175139620` +
      '&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D',
  )

  expect(scheme(EXAMPLE).check({ method: 'GET', url, headers: {} }, 1_175_139_620_000)).toBe('good')
  expect(scheme(EXAMPLE).check({ method: 'GET', url, headers: {} }, 1_175_139_621_000)).toBe('expired')
})

test('Upyun: the example of its documentation', () => {
  const signed = {
    method: 'POST',
    uri: '/pretreatment/',
    date: 'Wed, 09 Nov 2016 14:26:58 GMT',
    contentMd5: 'a2d75510f7ec654cc24cfa2b5a5a8182',
  }

  expect(upyunAuthorization({ operator: 'upyun', password: 'password123' }, signed)).toBe(
    'UPYUN upyun:6KGqGX4tFwqnCdSndEmGQsR1jQU=',
  )
})

test('Qiniu: the example of its documentation, and a token there and back', () => {
  const encoded =
    'eyJzY29wZSI6Im15LWJ1Y2tldDpzdW5mbG93ZXIuanBnIiwiZGVhZGxpbmUiOjE0NTE0OTEyMDAsInJldHVybkJvZHkiOiJ7XCJuYW1lXCI6' +
    'JChmbmFtZSksXCJzaXplXCI6JChmc2l6ZSksXCJ3XCI6JChpbWFnZUluZm8ud2lkdGgpLFwiaFwiOiQoaW1hZ2VJbmZvLmhlaWdodCksXCJo' +
    'YXNoXCI6JChldGFnKX0ifQ=='
  const keys = { accessKey: 'MY_ACCESS_KEY', secretKey: 'MY_SECRET_KEY' }
  const policy = {
    scope: 'bucket:ü/a',
    deadline: 1,
    callbackUrl: 'http://a/b',
    callbackBody: '{}',
    callbackBodyType: 'application/json',
    fsizeLimit: 2,
    insertOnly: 1,
  } as const

  expect(hmac('sha1', keys.secretKey, encoded).toString('base64')).toBe('wQ4ofysef1R7IKnrziqtomqyDvI=')
  expect(checkUploadToken(keys, uploadToken(keys, policy))).toEqual(policy)
  expect(checkUploadToken({ ...keys, secretKey: 'x' }, uploadToken(keys, policy))).toBeUndefined()
})

const schemes: [string, Scheme][] = [
  ['S3', awsV4(EXAMPLE, 'us-east-1')],
  ['OSS', ossV4(EXAMPLE, 'cn-hangzhou')],
  ['COS', cosSignature(EXAMPLE)],
  ['KS3', ks3V2(EXAMPLE)],
  ['OBS', obsV2(EXAMPLE)],
]

test.each(schemes)('%s: what it signs is good until it expires, and for nothing else', (_, scheme) => {
  const url = new URL('http://127.0.0.1:9/bucket/%C3%BC%20a.bin?partNumber=1&uploadId=a%2Fb')
  const headers = { 'content-type': 'application/octet-stream' }
  const signed = new URL(scheme.sign({ method: 'PUT', url, headers, expires: MAY_2013 + 60_000 }, MAY_2013))
  const sent = { ...headers, host: url.host }
  const check = (change: object, now = MAY_2013) =>
    scheme.check({ method: 'PUT', url: signed, headers: sent, ...change }, now)

  expect(check({})).toBe('good')
  expect(check({}, MAY_2013 + 60_001)).toBe('expired')
  expect(check({ method: 'POST' })).toBe('mismatch')
  expect(check({ headers: { ...sent, 'content-type': 'text/plain' } })).toBe('mismatch')
  expect(check({ url: new URL(signed.href.replace('a%2Fb', 'c')) })).toBe('mismatch')
  expect(check({ url: new URL(signed.href.replace('a.bin', 'b.bin')) })).toBe('mismatch')
  expect(check({ url: new URL(signed.href.replace('a.bin', '%E0')) })).toBe('mismatch')
  expect(check({ url })).toBe('unsigned')
})
